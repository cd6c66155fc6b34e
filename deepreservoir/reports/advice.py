"""What a comparison says: whether the adapter is better than its controls, and what to use."""

from __future__ import annotations

from ..experiments.comparisons.results import Comparison
from ..experiments.tables.references import too_few
from .findings import Pair, conclusions, listed, pairs, seeds, where
from .scores import ComparisonScores, Scores
from .summary import Row, at_words

# Controls of the adapter: models that could be used in its place and are not larger, or cheaper.
# Label propagation is none of them: it is not a model that could be stored.
_CONTROLS = (
    "equal_bytes",
    "no_scaffold",
    "random_features",
    "echo_state",
    "linear",
    "fingerprints",
)
_MODELS = ("adapter", "full", *_CONTROLS)
_ROUNDING = 1e-9  # the mean of equal scores may differ from them by rounding
_NAMES = {
    "adapter": "the adapter",
    "full": "the fully trained network",
    "equal_bytes": "the dense network of the same bytes",
    "no_scaffold": "the low-rank path without a scaffold",
    "echo_state": "the echo-state network",
}


def comparison_findings(comparison: Comparison) -> list[tuple[str, str]]:
    """Return what a comparison shows: a topic, and one or more sentences.

    Scores of an adapter and of a control are called level if they differ by at most the larger of
    their standard deviations over seeds, and a score is as good as the highest one if it is lower
    by at most the standard deviation of that one. No model is recommended with one seed, on fewer
    than 10 held-out samples, or if none is better than a constant prediction.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of (str, str)
        In the order of a report; the last topic is "Seeds" if there are few of them.

    Examples
    --------
    >>> from deepreservoir import compare
    >>> from deepreservoir.experiments import Protocol
    >>> quick = Protocol(hidden_layer_sizes=(32,), max_iter=2)
    >>> done = compare("digits", (2,), seeds=1, arms=("adapter", "linear"), protocol=quick)
    >>> [topic for topic, _ in comparison_findings(done)]
    ['Simple references', 'Seeds']
    """
    scores = ComparisonScores(comparison)
    constant = _constant(scores, comparison.constant_score)
    advice = {"Constant prediction": constant}
    if scores.n_seeds > 1:  # one seed has no deviation to measure differences by
        advice["Controls"] = _controls(scores)
        advice["What to use"] = "" if constant else _best(scores, comparison.n_held_out)
    found = [(topic, words) for topic, words in advice.items() if words]
    return [*conclusions(scores), *found, *seeds(scores)]


def _constant(scores: ComparisonScores, score: float | None) -> str:
    """Say if no model is better than always predicting the same."""
    rows = _models(scores)
    if score is None or not rows:
        return ""
    score *= 100 if scores.classes else 1
    if max(row.mean or 0.0 for row in rows) > score + _ROUNDING:
        return ""
    same = "the most frequent class" if scores.classes else "the mean of the target"
    return (
        f"No model scores higher than always predicting {same} in the training rows "
        f"({scores.score(score)}): the features may say little about the target, or the networks "
        "need other settings. No model is recommended."
    )


def _controls(scores: Scores) -> str:
    """Say at which ranks the adapter is better than every control."""
    compared = {arm: found for arm in _CONTROLS if (found := pairs(scores, arm))}
    adapters = scores.scored("adapter")
    if not compared or not adapters:
        return ""
    every = [pair for found in compared.values() for pair in found]
    behind = [pair for pair in every if pair.level or pair.lead < 0]
    ahead = [row for row in adapters if row not in [pair.adapter for pair in behind]]
    if not ahead:
        some = {arm: [p for p in found if p in behind] for arm, found in compared.items()}
        names = [
            f"{_name(scores, arm)} ({_places(pairs_behind, compared[arm])})"
            for arm, pairs_behind in some.items()
            if pairs_behind
        ]
        return (
            "At no rank is the adapter better than all of its controls here. As good, or better: "
            f"{listed(names)}."
        )
    places = where([Pair(row, row) for row in ahead], [Pair(row, row) for row in adapters])
    controls = listed(_name(scores, arm) for arm in compared)
    return (
        f"The adapter is better than every control ({controls}) at {places}, by more than one "
        "standard deviation over seeds."
    )


def _places(some: list[Pair], of: list[Pair]) -> str:
    return f"at {where(some, of)}" if len(of) > 1 or some[0].adapter.at else "at every rank"


def _models(scores: Scores) -> list[Row]:
    """Return the scores of the models of which one could be used."""
    return [row for arm in _MODELS for row in scores.scored(arm)]


def _best(scores: Scores, n_held_out: int | None) -> str:
    """Name the best model, and the smallest one that is as good."""
    rows = _models(scores)
    if not scores.scored("adapter") or len({row.arm for row in rows}) < 2:
        return ""
    few = None if n_held_out is None else too_few(n_held_out, "recommend a model")
    if few is not None:
        return few
    best = max(rows, key=lambda row: row.mean or 0.0)
    least = (best.mean or 0.0) - (best.spread or 0.0) - _ROUNDING
    level = [row for row in rows if row is best or (row.mean or 0.0) >= least]
    smallest = min(level, key=lambda row: (row.stored_bytes or 0, -(row.mean or 0.0)))
    words = (
        f"The highest score is {scores.score(best.mean or 0.0)}: {_named(scores, best)}, "
        f"{best.stored_bytes:,} bytes"
    )
    if smallest is best:
        return f"{words}. Nothing smaller is as good here: use it."
    return (
        f"{words}. As good within its standard deviation over seeds, and the smallest, is "
        f"{_named(scores, smallest)}: {scores.score(smallest.mean or 0.0)} with "
        f"{smallest.stored_bytes:,} bytes. Use it here."
    )


def _name(scores: Scores, arm: str) -> str:
    return _NAMES.get(arm, scores.name(arm))


def _named(scores: Scores, row: Row) -> str:
    return _name(scores, row.arm) + (f" at {at_words(row.at)}" if row.at else "")
