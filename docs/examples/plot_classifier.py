"""
Handwritten digits with a few thousand trained parameters
=========================================================

:class:`~deepreservoir.DeepReservoirClassifier` in a pipeline, compared with logistic regression at
several ranks.
"""

# %%
# Every weight matrix of the network is drawn from a seed and frozen. The rank of the adapters
# decides how many parameters are trained.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

ranks = (1, 2, 4, 8)
scores, sizes = [], []
for rank in ranks:
    network = DeepReservoirClassifier(rank=rank, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(X_train, y_train)
    scores.append(model.score(X_test, y_test))
    sizes.append(network.n_trained_params_)
    print(f"rank {rank}: accuracy {scores[-1]:.3f}, {sizes[-1]:,} trained parameters")

# %%
# A linear model is the reference that every network should be compared with.

linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X_train, y_train)
reference = linear.score(X_test, y_test)
print(f"logistic regression: accuracy {reference:.3f}")

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.plot(sizes, scores, "o-", label="frozen network with adapters")
axes.axhline(reference, color="black", linestyle="--", label="logistic regression")
for rank, size, score in zip(ranks, sizes, scores, strict=True):
    place = {"textcoords": "offset points", "xytext": (0, 7), "ha": "center"}
    axes.annotate(f"rank {rank}", (size, score), **place)
axes.set(xlabel="trained parameters", ylabel="accuracy on 450 held-out images")
axes.legend()
plt.show()

# %%
# The digits of the test set that the network finds hardest.

shares = model.predict_proba(X_test)
hardest = shares.max(axis=1).argsort()[:8]
figure, panels = plt.subplots(1, 8, figsize=(8, 1.6), layout="constrained")
for panel, i in zip(panels, hardest, strict=True):
    panel.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    panel.set_title(f"{y_test[i]} as {model.predict(X_test[[i]])[0]}", fontsize=10)
    panel.axis("off")
plt.show()
