"""
A regression with several seeds
===============================

:class:`~deepreservoir.DeepReservoirRegressor` on the diabetes data: what the regularisation of the
default values changes, and how much the result depends on the seed.
"""

# %%
# The table has 442 rows, so a network soon fits their noise. By default, a part of the activations
# is dropped in each step, and the trained matrices decay.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirRegressor

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)


def scores(**params):
    """Return R^2 on the test rows for five seeds."""
    found = []
    for seed in range(5):
        model = DeepReservoirRegressor(random_state=seed, **params)
        found.append(model.fit(X_train, y_train).score(X_test, y_test))
    return found


results = {
    "default values": scores(),
    "not regularised": scores(dropout=0.0, adapter_dropout=0.0, weight_decay=0.0),
}
for name, values in results.items():
    print(f"{name}: R^2 {np.mean(values):.2f} +- {np.std(values, ddof=1):.2f}")

# %%
# For so small a table, ridge regression is a strong reference, and has no seed.

ridge = RidgeCV(np.logspace(-2, 3, 12)).fit(X_train, y_train).score(X_test, y_test)
print(f"ridge regression: R^2 {ridge:.2f}")

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
for place, values in enumerate(results.values()):
    axes.plot(values, [place] * len(values), "o", alpha=0.7)
axes.axvline(ridge, color="black", linestyle="--", label="ridge regression")
axes.set_yticks(range(len(results)), list(results))
axes.set(xlabel="R² on held-out rows, one point per seed", ylim=(-0.5, len(results) - 0.5))
axes.legend()
plt.show()
