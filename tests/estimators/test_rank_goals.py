"""RankSearch: ranks that are good enough by themselves, and what is passed to the fits."""

import numpy as np
import pytest
from known_ranks import ROWS, ZEROS, KnownRanks, known

from deepreservoir import DeepReservoirRegressor, RankSearch


@pytest.fixture(autouse=True)
def _no_fits():
    KnownRanks.fits.clear()


@pytest.mark.parametrize("eps", [0, 0.0])
def test_a_rank_as_good_as_the_twin_may_be_asked_for(eps):
    assert known([1.0, 0.5, 0.25], full=0.25, eps=eps).rank_ == 3


def test_a_threshold_replaces_the_loss_of_the_twin():
    losses = [4.0, 3.0, 2.0, 1.0]
    search = known(losses, full=0.0, threshold=2.5, refit=False)
    assert (search.rank_, search.reached_, search.baseline_["loss"]) == (3, True, 0.0)
    scored = known(losses, threshold=-2.5, scoring="neg_mean_squared_error", refit=False)
    assert scored.rank_ == 3
    with pytest.warns(UserWarning, match=r"reaches threshold=-0.5: the best, 4, has a score of -1"):
        known(losses, threshold=-0.5, scoring="neg_mean_squared_error", refit=False)
    with pytest.warns(
        UserWarning, match=r"reaches threshold=0.5: the best, 4, has a loss of 1, .*a"
    ):
        known(losses, threshold=0.5, refit=False)


class Weighted(KnownRanks):
    """Keeps the weights and the other parameters of its fits."""

    given: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, note=None):
        super().fit(X, y)
        self.given.append((self.fits[-1].rows, sample_weight, note))
        return self


def test_fits_get_their_share_of_the_weights_and_the_rest_as_it_is():
    Weighted.given.clear()
    weights = 100 + np.arange(24.0)
    search = RankSearch(Weighted(), eps=9.0, ranks=[1], cv=3, n_seeds=1, random_state=0)
    search.fit(ROWS, ZEROS, sample_weight=weights, note="as it is")
    assert len(Weighted.given) == 3 + 3 + 1  # the twin, rank 1, and the best on all rows
    for rows, weight, note in Weighted.given:
        np.testing.assert_array_equal(weight, weights[list(rows)])
        assert note == "as it is"
    deep = DeepReservoirRegressor((4,), max_iter=1)
    subspace = RankSearch(deep, subspace=True, ranks=[1])
    with pytest.raises(ValueError, match="leave out sample_weight"):
        subspace.fit(ROWS, ROWS[:, 0], sample_weight=weights)
