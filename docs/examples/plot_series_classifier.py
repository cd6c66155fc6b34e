"""
A class for every series
========================

:class:`~deepreservoir.EchoStateClassifier` reads handwritten digits as series: eight steps of eight
values, from the top row of an image to the bottom.
"""

# %%
# `features` decides what of the states represents a series. The states at half and at the end of a
# series are more than the last state alone.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from deepreservoir import EchoStateClassifier

images, digits = load_digits(return_X_y=True)
series = images.reshape(-1, 8, 8) / 16  # (series, time, features)
X_train, X_test, y_train, y_test = train_test_split(series, digits, random_state=0)

for features in ("mean", "last", (0.5, 1.0)):
    model = EchoStateClassifier(units=200, features=features, random_state=0).fit(X_train, y_train)
    print(f"features={features!r}: accuracy {model.score(X_test, y_test):.3f}")

# %%
# Which digits the last of these models confuses.

figure, axes = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=axes, cmap="Blues", colorbar=False)
plt.show()
