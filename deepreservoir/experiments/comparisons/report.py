"""Reports of a comparison: a table and, with matplotlib, a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .arms import AFTERWARDS
from .results import METRICS, Comparison, Summary, write_atomically
from .score_axis import score_limits

LABELS = {
    "adapter": "adapter on a frozen scaffold",
    "full": "fully trained",
    "equal_bytes": "dense, same stored bytes",
    "no_scaffold": "no scaffold (W = 0)",
    "scaffold_removed": "scaffold removed afterwards",
    "wrong_seed": "wrong seed",
    "random_features": "random features, ridge",
    "echo_state": "echo-state network, row by row",
    "linear": "logistic regression",
    "label_propagation": "label propagation",
    "fingerprints": "logistic regression on fingerprints",
    "trigram": "trigrams, interpolated counts",
    "behaviour_cloning": "behaviour cloning, ridge",
}

_COLOURS = {
    "adapter": "#0b6e4f",
    "full": "#1b1b1b",
    "equal_bytes": "#c8553d",
    "no_scaffold": "#7a6fac",
    "scaffold_removed": "#b08e3c",
    "wrong_seed": "#9a9a9a",
    "random_features": "#3d7ea6",
    "echo_state": "#4f9d2f",
    "linear": "#c77d9b",
    "label_propagation": "#2f8f9d",
    "fingerprints": "#2f8f9d",
    "trigram": "#c77d9b",
    "behaviour_cloning": "#c77d9b",
}


def label(arm: str, task: str) -> str:
    """Return the name of an arm in tables and pictures."""
    return "ridge regression" if (arm, task) == ("linear", "regression") else LABELS[arm]


def _axis(metric: str) -> str:
    name, percent, _ = METRICS[metric].partition(" %")
    return f"{name} on held-out rows{', %' if percent else ''}"


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _score(row: Summary, task: str) -> str:
    percent = 100 if task == "classification" else 1
    digits = 2 if task == "classification" else 4
    mean = f"{row.mean * percent:.{digits}f}"
    return mean if row.runs == 1 else f"{mean} ± {row.spread * percent:.{digits}f}"


def table(comparison: Comparison) -> str:
    """Return the summary as a Markdown table.

    A score is the mean and the standard deviation over seeds, on held-out rows.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        One line for each arm and rank, without a line break at the end. Scores of a classification
        are in percent.

    Examples
    --------
    >>> from deepreservoir.experiments import Comparison, Protocol, Record, table
    >>> runs = (
    ...     Record("full", None, 0, 0.9722, 50826, 203304, 0.52, None),
    ...     Record("adapter", 4, 0, 0.9361, 4492, 17976, 0.31, None),
    ... )
    >>> date = "2026-01-31T12:00:00+00:00"
    >>> comparison = Comparison("digits", "classification", Protocol(), (4,), (0,), runs, date)
    >>> for line in table(comparison).splitlines():
    ...     print(line[:52])
    | arm                          | rank | accuracy % |
    | ---------------------------- | ---: | ---------: |
    | adapter on a frozen scaffold |    4 |      93.61 |
    | fully trained                |      |      97.22 |
    """
    task = comparison.task
    score = METRICS[comparison.metric]
    rows = [["arm", "rank", score, "trained parameters", "stored bytes", "seconds", "peak MB"]]
    for row in comparison.summary():
        rows.append(
            [
                label(row.arm, task),
                "" if row.rank is None else str(row.rank),
                _score(row, task),
                f"{row.trained:,}",
                f"{row.stored_bytes:,}",
                f"{row.seconds:.2f}",
                "" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.0f}",
            ]
        )
    return markdown(rows)


def markdown(rows: list[list[str]], n_words: int = 1) -> str:
    """Return a Markdown table; the first row is the header.

    The first `n_words` columns hold words and are left-aligned, the others hold numbers.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if i < n_words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = ["-" * n if i < n_words else "-" * (n - 1) + ":" for i, n in enumerate(widths)]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return "\n".join(lines)


def save_table(
    comparison: Comparison, folder: str | Path, findings: Sequence[tuple[str, str]] = ()
) -> Path:
    """Write table.md into `folder` and return its path.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
    findings : sequence of (str, str)
        Topics and sentences to write below the table.

    Returns
    -------
    Path
        Path of the file, which is written atomically.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Comparison, Protocol, Record, save_table
    >>> runs = (
    ...     Record("full", None, 0, 0.9722, 50826, 203304, 0.52, None),
    ...     Record("adapter", 4, 0, 0.9361, 4492, 17976, 0.31, None),
    ... )
    >>> date = "2026-01-31T12:00:00+00:00"
    >>> comparison = Comparison("digits", "classification", Protocol(), (4,), (0,), runs, date)
    >>> with TemporaryDirectory() as folder:
    ...     path = save_table(comparison, folder, [("Seeds", "More seeds are needed.")])
    ...     path.name, path.read_text().splitlines()[0], path.read_text().splitlines()[-1]
    ('table.md', '# digits: 1 seed, 2026-01-31T12:00:00+00:00', '- Seeds: More seeds are needed.')
    """
    path = Path(folder) / "table.md"
    seeds = len({record.seed for record in comparison.records})
    state = "" if comparison.complete else " (interrupted, incomplete)"
    head = f"# {comparison.dataset}: {_seeds(seeds)}, {comparison.date}{state}\n\n"
    notes = "".join(f"\n- {note}" for note in comparison.notes)
    notes += "".join(f"\n- {topic}: {words}" for topic, words in findings)
    write_atomically(path, head + table(comparison) + "\n" + notes + ("\n" if notes else ""))
    return path


def save_picture(comparison: Comparison, folder: str | Path) -> Path | None:
    """Plot scores against rank and against stored bytes, as accuracy.png.

    The axis of scores shows the adapters and what comes near them. The legend names the arms, such
    as a wrong seed, whose scores are all below it, with their scores.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
        It is created if necessary.

    Returns
    -------
    Path or None
        Path of the file; None if matplotlib (the extra ``plot``) is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Comparison, Protocol, Record, save_picture
    >>> runs = (
    ...     Record("full", None, 0, 0.9722, 50826, 203304, 0.52, None),
    ...     Record("adapter", 4, 0, 0.9361, 4492, 17976, 0.31, None),
    ... )
    >>> date = "2026-01-31T12:00:00+00:00"
    >>> comparison = Comparison("digits", "classification", Protocol(), (4,), (0,), runs, date)
    >>> with TemporaryDirectory() as folder:
    ...     save_picture(comparison, folder).name
    'accuracy.png'
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return None
    buffer = io.BytesIO()
    draw(comparison).savefig(buffer, format="png", dpi=150)
    path = Path(folder) / "accuracy.png"
    write_atomically(path, buffer.getvalue())
    return path


def draw(comparison: Comparison) -> Any:
    """Return the figure of :func:`save_picture`; needs matplotlib, the extra ``plot``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    by_rank, by_bytes = figure.subplots(1, 2, sharey=True)
    percent = 100 if comparison.task == "classification" else 1
    summary = comparison.summary()
    limits = _limits(summary, percent)
    for name in LABELS:
        rows = [row for row in summary if row.arm == name and math.isfinite(row.mean)]
        if not rows:
            continue
        words, colour = label(name, comparison.task), _COLOURS[name]
        means = [row.mean * percent for row in rows]
        bars = _bars(rows, percent, limits)
        style = {"color": colour, "marker": "o", "markersize": 4, "linewidth": 1.6, "capsize": 2}
        words += _where(means, limits, comparison.task)
        if rows[0].rank is None:
            by_rank.axhline(means[0], color=colour, linestyle="--", linewidth=1.3, label=words)
            style |= {"marker": "D", "markersize": 6}
        else:
            by_rank.errorbar([row.rank for row in rows], means, bars, label=words, **style)
        if name not in AFTERWARDS and rows[0].stored_bytes:
            by_bytes.errorbar([row.stored_bytes for row in rows], means, bars, **style)
    if limits is not None:
        by_rank.set_ylim(limits)
    by_rank.set(
        xscale="log",
        title="by rank",
        xlabel="rank",
        ylabel=_axis(comparison.metric),
    )
    by_rank.set_xticks(comparison.ranks, [str(rank) for rank in comparison.ranks])
    by_rank.minorticks_off()
    by_bytes.set(xscale="log", title="by stored size", xlabel="stored bytes")
    for axes in (by_rank, by_bytes):
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    seeds = len(comparison.seeds)
    over = f"mean and standard deviation over {seeds} seeds" if seeds > 1 else "scores of one seed"
    figure.suptitle(f"{comparison.dataset}: {over}", fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    return figure


def _limits(summary: list[Summary], percent: int) -> tuple[float, float] | None:
    """Return the limits of the axis of scores; None leaves them to matplotlib."""
    ends: dict[bool, list[float]] = {True: [], False: []}  # of the error bars, by whether adapters
    for row in summary:
        for spread in (-row.spread, row.spread):
            ends[row.arm == "adapter"].append((row.mean + spread) * percent)
    return score_limits(ends[True], ends[False], percent)


def _bars(
    rows: list[Summary], percent: int, limits: tuple[float, float] | None
) -> list[float] | None:
    """Return the lengths of error bars; None for one seed, which has no standard deviation."""
    if all(row.runs == 1 for row in rows):
        return None
    lowest = -math.inf if limits is None else limits[0]
    # The bar of a point below the axis would reach into it without its point.
    return [row.spread * percent if row.mean * percent >= lowest else math.nan for row in rows]


def _where(means: list[float], limits: tuple[float, float] | None, task: str) -> str:
    """Return what a legend adds to the name of an arm whose scores are all below the axis."""
    if limits is None or max(means) >= limits[0]:
        return ""
    digits = 0 if task == "classification" else 2
    ends = dict.fromkeys(f"{end:.{digits}f}" for end in (min(means), max(means)))
    return f" (below the axis: {' to '.join(ends)})"
