"""What a sweep found: its records by arm and point of the grid, and beside published figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ..experiments import ARMS
from ..experiments.comparisons.report import label, markdown
from ..sweeps.plain_data import frozen
from ..sweeps.published import Figure
from ..sweeps.spec import Point, Sweep
from ..sweeps.store import Folder


@dataclass(frozen=True)
class Row:
    """One row of a sweep's table: an arm at a point of the grid, over seeds.

    Attributes
    ----------
    arm : str
        Of ``deepreservoir.experiments.ARMS``.
    at : tuple of (str, object)
        Values of the grid that mean something to the arm, in the grid's order.
    runs : int
        That were scored.
    mean, spread : float or None
        Of the scores on held-out rows, accuracy in percent or R^2; the spread is the standard
        deviation, 0 for one run. None where no run was scored.
    trained, stored_bytes : int or None
        Trained numbers, and bytes that a file must hold.
    seconds : float or None
        Of training, the mean.
    failed : int
        Runs that failed.
    notes : tuple of str
        Why runs failed or were left out, each reason once.
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
    """A published figure, and ours beside it.

    Attributes
    ----------
    figure : Figure
    runs : int
        Ours: of the figure's arm, at the figure's values of the grid and all values of the rest.
    seeds : int
        That they have.
    mean : float or None
        Of their scores, in the figure's unit; None where there are none yet.
    spread : float or None
        Standard deviation over seeds of the mean over the rest of the grid; 0 for one seed.
    others : float or None
        Largest less smallest mean over seeds in the rest of the grid; None where that is one
        point.
    trained : int or None
        Trained numbers; None where they are not the same at all points.
    difference : float or None
        Ours less theirs.
    target : float or None
        ``at_least`` of the figure, or its score less the tolerance.
    met : bool or None
        Whether the mean reaches the target; None where one of the two is missing.
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
class _Seen:
    """What one record says of one arm: a score, or why there is none."""

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
    """Return mean and spread over seeds by arm and point, in the order of arms and grid.

    Arms that look at a trained adapter afterwards have rows of their own.

    Parameters
    ----------
    folder : Folder

    Returns
    -------
    list of Row
        For what has records.
    """
    groups: dict[tuple[str, Point], list[_Seen]] = {}
    for seen in _seen(folder):
        groups.setdefault((seen.arm, seen.at), []).append(seen)
    return [_row(groups[key]) for key in sorted(groups, key=lambda key: _place(folder, *key))]


def beside(folder: Folder) -> list[Beside]:
    """Return each published figure of the sweep with ours, in its order.

    Parameters
    ----------
    folder : Folder

    Returns
    -------
    list of Beside
        Empty where the sweep has no published figures.
    """
    published = folder.sweep.published
    if published is None:
        return []
    scored = [seen for seen in _seen(folder) if seen.score is not None]
    return [_beside(figure, published.tolerance, scored) for figure in published.rows]


def summary_table(folder: Folder) -> str:
    """Return the summary as a Markdown table, with notes below it."""
    rows = summary(folder)
    names = [name for name, _ in folder.sweep.grid]
    head = ["arm", *names, score_name(folder), "trained numbers", "stored bytes", "seconds", "runs"]
    cells = [head]
    for row in rows:
        values = dict(row.at)
        cells.append(
            [
                label(row.arm, folder.task),
                *(shown(values[name]) if name in values else "" for name in names),
                _score(folder, row.mean, row.spread, row.runs),
                _whole(row.trained),
                _whole(row.stored_bytes),
                "" if row.seconds is None else f"{row.seconds:.2f}",
                f"{row.runs}" + (f" ({row.failed} failed)" if row.failed else ""),
            ]
        )
    return markdown(cells) + "".join(f"\nnote: {note}" for note in _notes(rows))


def beside_table(folder: Folder) -> str:
    """Return published figures and ours as a Markdown table, with their source below it.

    Empty where the sweep has no published figures.
    """
    published = folder.sweep.published
    if published is None:
        return ""
    score = score_name(folder)
    head = ["arm", "at", f"ours, {score}", "over the rest", "published", "difference", "target"]
    cells = [[*head, "met", "trained numbers", "published"]]
    for row in beside(folder):
        figure = row.figure
        cells.append(
            [
                label(figure.arm, folder.task),
                at_words(figure.at),
                _score(folder, row.mean, row.spread, row.seeds),
                _decimal(folder, row.others),
                _decimal(folder, figure.score),
                _decimal(folder, row.difference, sign="+"),
                "" if row.target is None else f"≥ {_decimal(folder, row.target)}",
                {None: "", True: "yes", False: "**missed**"}[row.met],
                _whole(row.trained),
                _whole(figure.trained),
            ]
        )
    return f"{markdown(cells)}\n\nsource: {published.source}"


def score_name(folder: Folder) -> str:
    """Return what the scores of a sweep are, for the head of a column."""
    return "accuracy %" if folder.task == "classification" else "R²"


def shown(value: Any) -> str:
    """Return a value of the grid for a table.

    Examples
    --------
    >>> shown(("step", 2)), shown(None), shown(True), shown(0.5)
    ('step 2', 'none', 'true', '0.5')
    """
    if isinstance(value, tuple):
        return " ".join(map(shown, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()  # as TOML has it
    return str(value)


def at_words(at: Point) -> str:
    """Return a point of the grid in words.

    Examples
    --------
    >>> at_words((("scaffold", "binary"), ("rank", 8)))
    'scaffold binary, rank 8'
    """
    return ", ".join(f"{name} {shown(value)}" for name, value in at)


def _seen(folder: Folder) -> Iterator[_Seen]:
    """Yield what records say of each arm, scores in the unit of tables."""
    unit = 100 if folder.task == "classification" else 1
    for record in folder.records():
        run = record["arm"], _point(folder.sweep, record["at"]), record["seed"]
        if "score" not in record:
            yield _Seen(*run, error=record.get("error"), left_out=record.get("left_out"))
            continue
        costs = record["trained"], record["stored_bytes"], record["seconds"]
        yield _Seen(*run, unit * record["score"], *costs)
        for arm, score in record.get("afterwards", {}).items():
            yield _Seen(arm, *run[1:], unit * score, *costs)


def _point(sweep: Sweep, at: dict[str, Any]) -> Point:
    """Return a record's values in the order of the grid."""
    return tuple((name, frozen(at[name])) for name, _ in sweep.grid if name in at)


def _place(folder: Folder, arm: str, at: Point) -> tuple[int, list[int]]:
    values = dict(folder.sweep.grid)
    return ARMS.index(arm), [values[name].index(value) for name, value in at]


def _row(group: Sequence[_Seen]) -> Row:
    scored = [seen for seen in group if seen.score is not None]
    first = scored[0] if scored else group[0]
    mean, spread = _mean_and_spread([seen.score for seen in scored if seen.score is not None])
    notes = dict.fromkeys(seen.error or seen.left_out for seen in group)
    return Row(
        first.arm,
        first.at,
        len(scored),
        mean,
        spread,
        first.trained,
        first.stored_bytes,
        fmean(seen.seconds for seen in scored if seen.seconds is not None) if scored else None,
        sum(seen.error is not None for seen in group),
        tuple(note for note in notes if note is not None),
    )


def _beside(figure: Figure, tolerance: float | None, scored: Iterable[_Seen]) -> Beside:
    ours = [seen for seen in scored if seen.arm == figure.arm and set(figure.at) <= set(seen.at)]
    mean, _ = _mean_and_spread([seen.score for seen in ours if seen.score is not None])
    by_seed = _means_by(ours, "seed")
    by_point = _means_by(ours, "at")
    trained = {seen.trained for seen in ours}
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


def _means_by(ours: Iterable[_Seen], name: str) -> list[float]:
    """Return the mean score of each value of an attribute."""
    groups: dict[Any, list[float]] = {}
    for seen in ours:
        if seen.score is not None:
            groups.setdefault(getattr(seen, name), []).append(seen.score)
    return [fmean(group) for group in groups.values()]


def _mean_and_spread(scores: Sequence[float]) -> tuple[float | None, float | None]:
    if not scores:
        return None, None
    return fmean(scores), stdev(scores) if len(scores) > 1 else 0.0


def _decimal(folder: Folder, value: float | None, sign: str = "") -> str:
    digits = 2 if folder.task == "classification" else 4
    return "" if value is None else f"{value:{sign}.{digits}f}"


def _score(folder: Folder, mean: float | None, spread: float | None, several: int) -> str:
    cell = _decimal(folder, mean)
    return f"{cell} ± {_decimal(folder, spread)}" if several > 1 else cell


def _whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _notes(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        where = f"{row.arm} at {at_words(row.at)}" if row.at else row.arm
        for note in row.notes:
            yield f"{where}: {note}"
