"""
The smallest sufficient rank
============================

:class:`~deepreservoir.RankSearch` finds the smallest rank whose loss is within `eps` of that of the
same network with all weights trained.
"""

# %%
# Every rank is fitted on the same folds, scaffolds and seeds as the fully trained network, so their
# losses are compared in pairs.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from deepreservoir import DeepReservoirClassifier, RankSearch

X, y = load_digits(return_X_y=True)
network = DeepReservoirClassifier((64,), max_iter=15, learning_rate_init=0.01)
search = RankSearch(network, eps=0.06, cv=3, n_seeds=1, random_state=0).fit(X / 16, y)

# %%
# Ranks are doubled until one is sufficient, then the gap below it is halved repeatedly.

curve = search.curve_
order = np.argsort(curve["rank"])
rank, loss = np.array(curve["rank"])[order], np.array(curve["loss"])[order]
level = search.baseline_["loss"]
print(f"rank {search.rank_} is sufficient, with {search.n_trained_:,} trained parameters")

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.plot(rank, loss, "o-", label="adapter")
axes.axhline(level, color="black", linestyle="--", label="all weights trained")
axes.axhspan(level, level + search.eps, alpha=0.15, label=f"within eps = {search.eps}")
axes.axvline(search.rank_, color="0.7")
axes.set(xlabel="rank", ylabel="log loss on held-out rows")
axes.set_xscale("log", base=2)
axes.set_xticks(rank, rank)
axes.legend()
plt.show()
