"""The summary of a sweep: results by arm and grid point, and compared with published figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ..experiments import ALL_ARMS
from ..experiments.comparisons.results import METRICS
from ..sweeps.plain_data import frozen
from ..sweeps.published import Figure
from ..sweeps.spec import Point, Sweep
from ..sweeps.store import Folder


@dataclass(frozen=True)
class Row:
    """One row of a sweep's table: an arm at a grid point, summarised over seeds.

    Attributes
    ----------
    arm : str
        An element of ``deepreservoir.experiments.ALL_ARMS``.
    at : tuple of (str, object)
        Values of the grid parameters that affect the arm, in the order of the grid.
    runs : int
        Number of scored runs.
    mean, spread : float or None
        Mean and standard deviation of the scores on held-out rows: accuracy or ROC AUC in
        percent, or R^2.
        The standard deviation of one run is 0. None if no run was scored.
    trained, stored_bytes : int or None
        Number of trained parameters, and stored size of the model.
    seconds : float or None
        Mean training time.
    failed : int
        Number of failed runs.
    notes : tuple of str
        Reasons for which runs failed or were left out, without duplicates.
    """

    arm: str
    at: Point
    runs: int
    mean: float | None
    spread: float | None
    trained: int | None
    stored_bytes: int | None
    seconds: float | None
    failed: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    """A published figure, compared with our result.

    Our result is the mean over all runs of the figure's arm at the figure's grid values, with any
    values of the other parameters.

    Attributes
    ----------
    figure : Figure
    runs : int
        Number of our runs.
    seeds : int
        Number of their seeds.
    mean : float or None
        Mean of their scores, in the figure's unit; None if there are no scores yet.
    spread : float or None
        Standard deviation over seeds of the mean over the other parameters; 0 for one seed.
    others : float or None
        Range, over the other parameters, of the mean over seeds; None for a single grid point.
    trained : int or None
        Number of trained parameters; None if it is not the same at all grid points.
    difference : float or None
        Our mean minus the published score.
    target : float or None
        ``at_least`` of the figure, or its score minus the tolerance.
    met : bool or None
        Whether the mean reaches the target; None if one of the two is missing.
    """

    figure: Figure
    runs: int
    seeds: int
    mean: float | None
    spread: float | None
    others: float | None
    trained: int | None
    difference: float | None
    target: float | None
    met: bool | None


@dataclass(frozen=True)
class _Result:
    """The result of one arm in one record: a score, or the reason why there is none."""

    arm: str
    at: Point
    seed: int
    score: float | None = None
    trained: int | None = None
    stored_bytes: int | None = None
    seconds: float | None = None
    error: str | None = None
    left_out: str | None = None


def summary(folder: Folder) -> list[Row]:
    """Return the mean and the standard deviation over seeds for each arm and grid point.

    Arms that evaluate a trained adapter have their own rows.

    Parameters
    ----------
    folder : Folder

    Returns
    -------
    list of Row
        Rows for all arms and grid points with records, in the order of the arms and of the grid.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> grid, arms = (("rank", (1, 2)),), ("adapter", "no_scaffold")
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0, 1), quick, grid, arms=arms)
    >>> with TemporaryDirectory() as out:
    ...     folder = run_sweep(sweep, out)
    ...     rows = summary(folder)
    >>> [(row.arm, row.at, row.runs) for row in rows[:2]]
    [('adapter', (('rank', 1),), 2), ('adapter', (('rank', 2),), 2)]
    """
    groups: dict[tuple[str, Point], list[_Result]] = {}
    for result in _results(folder):
        groups.setdefault((result.arm, result.at), []).append(result)
    return [_row(groups[key]) for key in sorted(groups, key=lambda key: _place(folder, *key))]


def beside(folder: Folder) -> list[Beside]:
    """Compare the published figures of a sweep with our results.

    Parameters
    ----------
    folder : Folder

    Returns
    -------
    list of Beside
        One element per published figure, in the order of the declaration.
    """
    published = folder.sweep.published
    if published is None:
        return []
    scored = [result for result in _results(folder) if result.score is not None]
    return [_beside(figure, published.tolerance, scored) for figure in published.rows]


def score_name(folder: Folder) -> str:
    """Return the name of a sweep's score, as a column header."""
    return METRICS[folder.metric]


def shown(value: Any) -> str:
    """Return a grid value as text.

    Examples
    --------
    >>> shown(("step", 2)), shown(None), shown(True), shown(0.5)
    ('step 2', 'none', 'true', '0.5')
    """
    if isinstance(value, tuple):
        return " ".join(map(shown, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()  # as in TOML
    return str(value)


def at_words(at: Point) -> str:
    """Return a grid point as text.

    Examples
    --------
    >>> at_words((("scaffold", "binary"), ("rank", 8)))
    'scaffold binary, rank 8'
    """
    return ", ".join(f"{name} {shown(value)}" for name, value in at)


def _results(folder: Folder) -> Iterator[_Result]:
    """Yield the results of all records, with scores in the unit of the tables."""
    unit = 100 if folder.task == "classification" else 1
    for record in folder.records():
        run = record["arm"], point_of(folder.sweep, record["at"]), record["seed"]
        if "score" not in record:
            yield _Result(*run, error=record.get("error"), left_out=record.get("left_out"))
            continue
        costs = record["trained"], record["stored_bytes"], record["seconds"]
        yield _Result(*run, unit * record["score"], *costs)
        for arm, score in record.get("afterwards", {}).items():
            yield _Result(arm, *run[1:], unit * score, *costs)


def point_of(sweep: Sweep, at: Mapping[str, Any]) -> Point:
    """Return a record's values in the order of the grid."""
    return tuple((name, frozen(at[name])) for name, _ in sweep.grid if name in at)


def _place(folder: Folder, arm: str, at: Point) -> tuple[int, list[int]]:
    values = dict(folder.sweep.grid)
    return ALL_ARMS.index(arm), [values[name].index(value) for name, value in at]


def _row(group: Sequence[_Result]) -> Row:
    scored = [result for result in group if result.score is not None]
    first = scored[0] if scored else group[0]
    mean, spread = _mean_and_spread([result.score for result in scored if result.score is not None])
    notes = dict.fromkeys(result.error or result.left_out for result in group)
    return Row(
        first.arm,
        first.at,
        len(scored),
        mean,
        spread,
        first.trained,
        first.stored_bytes,
        fmean(result.seconds for result in scored if result.seconds is not None)
        if scored
        else None,
        sum(result.error is not None for result in group),
        tuple(note for note in notes if note is not None),
    )


def _beside(figure: Figure, tolerance: float | None, scored: Iterable[_Result]) -> Beside:
    ours = [
        result for result in scored if result.arm == figure.arm and set(figure.at) <= set(result.at)
    ]
    mean, _ = _mean_and_spread([result.score for result in ours if result.score is not None])
    by_seed = _means_by(ours, "seed")
    by_point = _means_by(ours, "at")
    trained = {result.trained for result in ours}
    target = figure.at_least
    if target is None and figure.score is not None and tolerance is not None:
        target = figure.score - tolerance
    return Beside(
        figure,
        len(ours),
        len(by_seed),
        mean,
        _mean_and_spread(by_seed)[1],
        max(by_point) - min(by_point) if len(by_point) > 1 else None,
        trained.pop() if len(trained) == 1 else None,
        None if mean is None or figure.score is None else mean - figure.score,
        target,
        None if mean is None or target is None else mean >= target,
    )


def _means_by(ours: Iterable[_Result], name: str) -> list[float]:
    """Return the mean score of each value of an attribute."""
    groups: dict[Any, list[float]] = {}
    for result in ours:
        if result.score is not None:
            groups.setdefault(getattr(result, name), []).append(result.score)
    return [fmean(group) for group in groups.values()]


def _mean_and_spread(scores: Sequence[float]) -> tuple[float | None, float | None]:
    if not scores:
        return None, None
    return fmean(scores), stdev(scores) if len(scores) > 1 else 0.0
