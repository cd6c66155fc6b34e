"""Reports of the minimum sufficient rank: a table, a sentence and a picture."""

from __future__ import annotations

import io
from pathlib import Path

from ..comparisons.report import markdown
from .rank_table import RankRow, RankTable

_LOSSES = {
    "classification": "log loss",
    "regression": "squared error, in units of the target's variance",
}


def ranks_markdown(result: RankTable) -> str:
    """Return the tested ranks and the fully trained network as a Markdown table.

    A loss is the mean and the standard deviation over folds and seeds, on held-out rows.

    Parameters
    ----------
    result : RankTable

    Returns
    -------
    str
        One line for each tested rank, in ascending order, and one for the fully trained network,
        without a line break at the end.

    Examples
    --------
    >>> from deepreservoir import load_dataset
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.experiments.tables.rank_table import rank_table
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=2)
    >>> digits = load_dataset("digits")
    >>> result = rank_table(digits, eps=1.0, ranks=(4,), seeds=1, folds=2, protocol=quick)
    >>> for line in ranks_markdown(result).splitlines():
    ...     print(line[:39])
    | network                      | rank |
    | ---------------------------- | ---: |
    | adapter on a frozen scaffold |    4 |
    | fully trained                |      |
    """
    head = [
        "network",
        "rank",
        "loss",
        "above full",
        f"{100 * result.confidence:g} % interval",
    ]
    head += ["trained parameters", "stored bytes"]
    return markdown([head, *map(_cells, result.rows), _cells(result.baseline)])


def _cells(row: RankRow) -> list[str]:
    difference = ["", ""]
    if row.difference is not None:
        difference = [f"{row.difference:+.4f}", f"{row.low:+.4f} to {row.high:+.4f}"]
    return [
        "fully trained" if row.rank is None else "adapter on a frozen scaffold",
        "" if row.rank is None else str(row.rank),
        f"{row.loss:.4f} ± {row.spread:.4f}",
        *difference,
        f"{row.trained:,}",
        f"{row.stored_bytes:,}",
    ]


def answer(result: RankTable) -> str:
    """Return the result in one or two sentences."""
    row = result.chosen
    size = f"{row.trained:,} trained parameters instead of {result.baseline.trained:,}"
    assert row.difference is not None
    assert row.low is not None
    assert row.high is not None
    side = "above" if row.difference >= 0 else "below"
    loss = f"its loss is {abs(row.difference):.4f} {side} that of the fully trained network"
    if not result.reached:
        return (
            f"None of the tested ranks is sufficient for eps {result.eps:g}. The best is rank "
            f"{row.rank}: {loss}, with {size}."
        )
    sentences = f"Rank {row.rank} is sufficient for eps {result.eps:g}: {loss}, with {size}."
    if row.high > result.eps:
        sentences += (
            f" The upper end of the confidence interval, {row.high:.4f}, exceeds eps; more seeds "
            "would narrow the interval."
        )
    return sentences


def readings(result: RankTable) -> list[tuple[str, str]]:
    """Return names and values of further measures of the size of the task."""
    metric = "accuracy" if result.task == "classification" else "R^2"
    lines = [
        (
            "held out",
            f"{metric} {result.score:.4f} at rank {result.rank}, on {result.held_out:,} rows",
        ),
        ("trained", f"{result.chosen.trained:,} parameters at rank {result.rank}"),
        (
            "PCA",
            f"{result.pca_components:,} components explain 95 % of the variance of the features",
        ),
    ]
    if result.with_subspace:
        d, size = result.subspace_dimension, result.baseline.trained
        dimension = f"no dimension up to {size:,}" if d is None else f"dimension {d:,} of {size:,}"
        lines.append(("subspace", f"{dimension} reaches 90 % of the fully trained network's score"))
    return lines


def draw_ranks(result: RankTable, kind: str = "png") -> bytes:
    """Plot losses against ranks with their intervals, the fully trained network, and eps.

    Parameters
    ----------
    result : RankTable
    kind : str, default="png"
        Format of the picture: ``"png"``, ``"svg"``, ``"pdf"`` or ``"jpg"``.

    Returns
    -------
    bytes
        Contents of the file. Needs matplotlib, the extra ``plot``.

    Examples
    --------
    >>> from deepreservoir import load_dataset
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.experiments.tables.rank_table import rank_table
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=2)
    >>> digits = load_dataset("digits")
    >>> result = rank_table(digits, eps=1.0, ranks=(4,), seeds=1, folds=2, protocol=quick)
    >>> draw_ranks(result, "svg")[:5]
    b'<?xml'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    ranks = [row.rank for row in result.rows if row.rank is not None]
    level, losses = result.baseline.loss, [row.loss for row in result.rows]
    below = [row.difference - row.low for row in result.rows]  # type: ignore[operator]
    above = [row.high - row.difference for row in result.rows]  # type: ignore[operator]
    axes.axhspan(
        level, level + result.eps, color="#0b6e4f", alpha=0.12, lw=0,
        label=f"within eps = {result.eps:g}",
    )  # fmt: skip
    axes.axhline(level, color="#1b1b1b", ls="--", lw=1.3, label="fully trained")
    axes.errorbar(
        ranks, losses, [below, above], color="#0b6e4f", marker="o", markersize=4, lw=1.6,
        capsize=3, label=f"adapter, {100 * result.confidence:g} % interval of the difference",
    )  # fmt: skip
    if result.reached:
        axes.plot(
            result.rank, result.chosen.loss, "o", markersize=11, mfc="none", mec="#c8553d", mew=1.8,
            label=f"rank {result.rank}, the smallest sufficient rank",
        )  # fmt: skip
    axes.set(xscale="log", xlabel="rank", ylabel=f"{_LOSSES[result.task]}, on held-out rows")
    axes.set_xticks(ranks, _tick_labels(ranks, result.rank))
    axes.minorticks_off()
    # An interval is symmetric and can reach below 0, which no loss does.
    axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8.5, frameon=False)
    runs = f"{result.folds} folds x {result.seeds} seed{'s' if result.seeds > 1 else ''}"
    axes.set_title(f"{result.dataset}: mean over {runs}", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def _tick_labels(ranks: list[int], selected: int) -> list[str]:
    """Label ranks that are far enough apart on a logarithmic axis, `selected` in any case."""
    labelled = [selected]
    for rank in ranks:
        if all(max(rank, other) >= 1.25 * min(rank, other) for other in labelled):
            labelled.append(rank)
    return [str(rank) if rank in labelled else "" for rank in ranks]


def kind_of(path: Path) -> str:
    """Return the format of a picture, from the suffix of its name."""
    return path.suffix[1:].lower()
