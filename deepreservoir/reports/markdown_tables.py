"""Summaries of a sweep as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..experiments.comparisons.report import label, markdown
from ..sweeps.store import Folder
from .shares import full_size, share, share_head
from .summary import Row, at_words, beside, score_name, shown, summary


def summary_table(folder: Folder) -> str:
    """Return the summary as a Markdown table, followed by notes.

    Parameters
    ----------
    folder : Folder
        The folder of a sweep, which may still be running.

    Returns
    -------
    str
        One line for each arm and grid point that has records, followed by a line ``note: ...`` for
        each reason for which runs failed or were left out; without a line break at the end.

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
    ...     text = summary_table(folder)
    >>> for line in text.splitlines()[2:4]:
    ...     print(line[:39])
    | adapter on a frozen scaffold |    1 |
    | adapter on a frozen scaffold |    2 |
    """
    rows = summary(folder)
    names = [name for name, _ in folder.sweep.grid]
    head = ["arm", *names, score_name(folder), "trained parameters", "stored bytes"]
    cells = [[*head, "seconds", "runs"]]
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
    """Return the published figures and our results as a Markdown table, followed by the source.

    Parameters
    ----------
    folder : Folder
        The folder of a sweep, which may still be running.

    Returns
    -------
    str
        One line for each published figure, in the order of the declaration, and a line
        ``source: ...``; empty if the sweep has no published figures.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Figure, Published, Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> figure = Figure("adapter", (("rank", 2),), score=0.5, at_least=-1.0)
    >>> published, grid = Published("an example", None, (figure,)), (("rank", (2,)),)
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0,), quick, grid, published)
    >>> with TemporaryDirectory() as out:
    ...     folder = run_sweep(sweep, out)
    ...     text = beside_table(folder)
    >>> text.splitlines()[-1]
    'source: an example'
    """
    published = folder.sweep.published
    if published is None:
        return ""
    score = score_name(folder)
    head = ["arm", "at", f"ours, {score}", "range", "published", "difference", "target"]
    full = full_size((row.arm, row.trained) for row in summary(folder))
    cells = [[*head, "met", "trained parameters", "published"]]
    if full is not None:
        cells[0].append(share_head(full))
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
                *([] if full is None else [share(row.trained, full)]),
            ]
        )
    return f"{markdown(cells)}\n\nsource: {published.source}"


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
