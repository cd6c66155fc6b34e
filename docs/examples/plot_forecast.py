"""
A forecast of the Lorenz system
===============================

:class:`~deepreservoir.EchoStateRegressor` continues a chaotic series by using its own outputs as
inputs.
"""

# %%
# The readout is trained to predict the next step. The series is standardised first.

import matplotlib.pyplot as plt
import numpy as np

from deepreservoir import EchoStateRegressor
from deepreservoir.datasets import lorenz63

series = lorenz63(5000, dt=0.02)
series = (series - series.mean(axis=0)) / series.std(axis=0)
past, future = series[:4500], series[4500:]

model = EchoStateRegressor(
    units=400, input_scaling=0.2, bias_scaling=0.2, washout=100, ridge=1e-8, random_state=0
)
model.fit(past[:-1], past[1:])
forecast = model.forecast(len(future))

# %%
# The largest Lyapunov exponent of the system is 0.9056, so an error grows by a factor of e in about
# 55 steps. After some of these times, every forecast is lost.

time = 0.9056 * 0.02 * np.arange(len(future))  # Lyapunov times
distance = np.linalg.norm(forecast - future, axis=1) / np.sqrt(3)
valid = time[np.argmax(distance > 0.4)]
print(f"the error exceeds 0.4 standard deviations after {valid:.1f} Lyapunov times")

figure, panels = plt.subplots(3, 1, figsize=(7, 4.6), sharex=True, layout="constrained")
for panel, name, true, found in zip(panels, "xyz", future.T, forecast.T, strict=True):
    panel.plot(time, true, color="0.5", label="series")
    panel.plot(time, found, "--", label="forecast")
    panel.axvline(valid, color="0.8")
    panel.set_ylabel(name)
panels[0].legend(loc="upper right", ncols=2)
panels[-1].set_xlabel("Lyapunov times after the end of training")
plt.show()
