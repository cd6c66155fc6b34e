"""Displays of losses and ranks: what is drawn, on which axes, and what is refused."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import (
    DeepReservoirClassifier,
    LossCurveDisplay,
    RankCurveDisplay,
    RankSearch,
    load,
    save,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

X, Y = load_digits(n_class=3, return_X_y=True)
X = X[:150] / 16
Y = Y[:150]


@pytest.fixture(autouse=True)
def _no_open_figures():
    yield
    plt.close("all")


def classifier(**params):
    defaults = {"rank": 1, "max_iter": 4, "random_state": 0, "learning_rate_init": 0.01}
    return DeepReservoirClassifier((16,), **{**defaults, **params})


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# Losses ----------------------------------------------------------------------------------------


def test_a_loss_curve_draws_the_history():
    model = classifier().fit(X[:100], Y[:100], eval_set=(X[100:], Y[100:]))
    display = LossCurveDisplay.from_estimator(model)
    training, validation = display.lines_
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(training.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(validation.get_ydata(), model.history_["validation_loss"])
    assert labels(display.ax_) == ["training", "validation"]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Epoch", "Loss")
    assert display.figure_ is display.ax_.figure


def test_loss_curves_of_several_models_share_axes():
    _, ax = plt.subplots()
    for rank in (1, 2):
        model = make_pipeline(StandardScaler(), classifier(rank=rank)).fit(X, Y)
        display = LossCurveDisplay.from_estimator(model, ax=ax, name=f"rank {rank}", ls=":")
        assert display.ax_ is ax
    assert labels(ax) == ["rank 1, training", "rank 2, training"]
    assert {line.get_linestyle() for line in ax.lines} == {":"}


def test_a_model_without_history_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(classifier())
    loaded = load(save(classifier(max_iter=1).fit(X, Y), tmp_path / "m"))
    with pytest.raises(ValueError, match=r"no training history: files do not keep it"):
        LossCurveDisplay.from_estimator(loaded)
    for other in (StandardScaler().fit(X), LogisticRegression().fit(X, Y)):
        with pytest.raises(ValueError, match=rf"trained in epochs.*; got {type(other).__name__}"):
            LossCurveDisplay.from_estimator(other)


def test_more_axes_than_one_are_refused():
    _, axes = plt.subplots(2)
    with pytest.raises(ValueError, match="ax must be a single Axes, or None for new ones; got 2"):
        LossCurveDisplay(loss=[2.0, 1.0]).plot(axes)


# Ranks -----------------------------------------------------------------------------------------


def test_a_rank_curve_draws_the_search():
    search = RankSearch(classifier(), eps=0.2, ranks=(1, 4), cv=2, n_seeds=2, random_state=0)
    search.fit(X, Y)
    display = RankCurveDisplay.from_search(search)
    points = display.errorbar_.lines[0]
    np.testing.assert_array_equal(points.get_xdata(), search.curve_["rank"])
    np.testing.assert_array_equal(points.get_ydata(), search.curve_["loss"])
    assert display.baseline_.get_ydata()[0] == search.baseline_["loss"]
    assert {"eps = 0.2", "fully trained"} <= set(labels(display.ax_))
    assert (f"rank {search.rank_}" in labels(display.ax_)) == search.reached_
    # The interval is that of the difference, around the loss.
    np.testing.assert_allclose(
        display.high - display.losses, search.curve_["high"] - search.curve_["difference"]
    )
    _, ax = plt.subplots()
    params = {"eps": 0.2, "ranks": (1, 4), "cv": 2, "n_seeds": 2, "random_state": 0}
    again = RankCurveDisplay.from_estimator(classifier(), X, Y, ax=ax, **params)
    assert again.ax_ is ax
    np.testing.assert_array_equal(again.losses, display.losses)


@pytest.mark.parametrize(
    ("scoring", "threshold", "height"), [("accuracy", 0.4, -0.4), (None, 1.5, 1.5)]
)
def test_a_search_with_a_threshold_draws_it_instead_of_eps(scoring, threshold, height):
    search = RankSearch(
        classifier(),
        scoring=scoring,
        threshold=threshold,
        ranks=(1, 4),
        cv=2,
        n_seeds=2,
        random_state=0,
    ).fit(X, Y)
    display = RankCurveDisplay.from_search(search)
    names = labels(display.ax_)
    assert f"threshold = {threshold:g}" in names
    assert not any(name.startswith("eps") for name in names)
    assert not display.ax_.patches
    (line,) = [each for each in display.ax_.lines if each.get_label().startswith("threshold")]
    assert set(line.get_ydata()) == {height}
    measure = "Loss" if scoring is None else "Minus the score"
    assert display.ax_.get_ylabel() == f"{measure} on held-out rows"
    for rank, low, high in zip(display.ranks, display.low, display.high, strict=True):
        of_rank = search.losses_[int(rank)]  # the interval of the loss, whatever the twin's is
        half = stats.t.ppf(0.975, 3) * stats.sem(of_rank, axis=None)
        np.testing.assert_allclose([low, high], of_rank.mean() + np.array([-half, half]))


def test_a_search_that_is_none_or_not_fitted_is_refused():
    with pytest.raises(ValueError, match="search must be a RankSearch; got DeepReservoir"):
        RankCurveDisplay.from_search(classifier())
    with pytest.raises(NotFittedError):
        RankCurveDisplay.from_search(RankSearch(classifier()))
