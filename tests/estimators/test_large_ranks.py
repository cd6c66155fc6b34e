"""Ranks above min(d_in, d_out): refused by the perceptron, allowed with one warning elsewhere."""

import warnings
from dataclasses import dataclass, fields

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from deepreservoir import DeepReservoirClassifier, MLPConfig, RankSearch, architecture
from deepreservoir.search.rank_limit import candidate_ranks, largest_rank

X = np.random.default_rng(0).normal(size=(40, 5))
Y = (X[:, 0] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (4, 3), "max_iter": 2, "random_state": 0}


@architecture("large_ranks")
@dataclass(frozen=True)
class LargeRanks(MLPConfig):
    large_ranks = "warn"


class LargeRanksClassifier(DeepReservoirClassifier):
    def network_config(self, n_features, n_outputs):
        own = {name: getattr(self, name) for name in ("hidden_layer_sizes", *self.adaptation())}
        return LargeRanks(n_features=n_features, n_outputs=n_outputs, **own)


def test_the_perceptron_refuses():
    with pytest.raises(ValueError, match=r"= 4 for hidden layer 0 \(5 -> 4\); got 7"):
        DeepReservoirClassifier(rank=7, **SMALL).fit(X, Y)


def test_others_warn_once_per_fit_and_name_the_layer():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LargeRanksClassifier(rank=7, **SMALL).fit(X, Y)
        model.predict(X)
    (warning,) = caught
    assert warning.filename == __file__
    assert "= 4 for hidden layer 0 (5 -> 4); got 7" in str(warning.message)
    adapted = model.network_.adapted
    assert adapted["layers.0"].A.shape == (7, 5)
    assert adapted["layers.1"].B.shape == (3, 7)


def test_no_warning_up_to_the_smallest_width(recwarn):
    LargeRanksClassifier(rank=3, **SMALL).fit(X, Y)
    assert {warning.category for warning in recwarn} <= {ConvergenceWarning}


def test_a_search_goes_up_to_the_width_unless_ranks_are_given():
    model = LargeRanksClassifier(**SMALL)
    assert candidate_ranks(None, largest_rank(model, X, Y)) == (1, 2, 3)
    search = RankSearch(model, eps=100.0, ranks=(9,), cv=2, n_seeds=1, random_state=0)
    with pytest.warns(UserWarning, match="got 9"):
        search.fit(X, Y)
    assert search.best_estimator_.network_.adapted["layers.0"].A.shape == (9, 5)
    with pytest.raises(ValueError, match="between 1 and 3"):
        RankSearch(DeepReservoirClassifier(**SMALL), ranks=(9,), cv=2, n_seeds=1).fit(X, Y)


def test_plain_data_keeps_the_architecture():
    config = LargeRanks(5, 1, (4,), rank=7)
    assert {each.name for each in fields(config)} == set(config.to_plain()) - {"architecture"}
    assert config.to_plain()["architecture"] == "large_ranks"
