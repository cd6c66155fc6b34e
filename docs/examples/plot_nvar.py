"""
Nonlinear vector autoregression
===============================

:class:`~deepreservoir.esn.NVAR` makes features of a series without a reservoir: lagged values and
their products. With a ridge regression, these forecast the Lorenz system from a thousand steps.
"""

# %%
# Two lags of three variables and all their products of two and three factors are 84 features. The
# regression predicts the change from one step to the next. The series is standardised first, so
# that no product is much larger than the others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge

from deepreservoir.datasets import lorenz63
from deepreservoir.esn import NVAR

series = lorenz63(2500, dt=0.02)
series = (series - series.mean(axis=0)) / series.std(axis=0)
past, future = series[:1000], series[1000:1400]

features = NVAR(delays=2, stride=1, order=(2, 3))
X = features.transform(past)  # the first step has no earlier one, so there is one row less
steps = np.diff(past[-len(X) :], axis=0)
readout = Ridge(alpha=1e-6, fit_intercept=False, solver="svd").fit(X[:-1], steps)
print(X.shape[1], "features:", ", ".join(features.feature_names(3)[:8]), "...")

# %%
# Each forecast step is added to the last values, and serves as the next input.

window, forecast = past[-2:], []
for _ in range(len(future)):
    following = window[-1] + readout.predict(features.transform(window))[0]
    forecast.append(following)
    window = np.stack([window[-1], following])
forecast = np.array(forecast)

time = 0.9056 * 0.02 * np.arange(len(future))  # Lyapunov times
figure, panels = plt.subplots(3, 1, figsize=(7, 4.6), sharex=True, layout="constrained")
for panel, name, true, found in zip(panels, "xyz", future.T, forecast.T, strict=True):
    panel.plot(time, true, color="0.5", label="series")
    panel.plot(time, found, "--", label="forecast")
    panel.set_ylabel(name)
panels[0].legend(loc="upper right", ncols=2)
panels[-1].set_xlabel("Lyapunov times after the end of training")
plt.show()
