"""The minimum sufficient rank as a table, a sentence and a picture."""

from __future__ import annotations

import io
from pathlib import Path

from ..comparisons.report import markdown
from .rank_table import RankRow, RankTable

_LOSSES = {
    "classification": "log loss",
    "regression": "squared error, in variances of the target",
}


def ranks_markdown(found: RankTable) -> str:
    """Return the ranks tried and the fully trained network as a Markdown table.

    Losses are mean and standard deviation over folds and seeds, on held-out rows.
    """
    head = [
        "way of training",
        "rank",
        "loss",
        "over full",
        f"{100 * found.confidence:g} % interval",
    ]
    head += ["trained numbers", "stored bytes"]
    return markdown([head, *map(_cells, found.rows), _cells(found.baseline)])


def _cells(row: RankRow) -> list[str]:
    compared = ["", ""]
    if row.difference is not None:
        compared = [f"{row.difference:+.4f}", f"{row.low:+.4f} to {row.high:+.4f}"]
    return [
        "fully trained" if row.rank is None else "adapter on a frozen scaffold",
        "" if row.rank is None else str(row.rank),
        f"{row.loss:.4f} ± {row.spread:.4f}",
        *compared,
        f"{row.trained:,}",
        f"{row.stored_bytes:,}",
    ]


def answer(found: RankTable) -> str:
    """Return what was found, in one sentence or two."""
    row = found.chosen
    share = f"{row.trained:,} trained numbers where full training has {found.baseline.trained:,}"
    assert row.difference is not None
    assert row.low is not None
    assert row.high is not None
    side = "over" if row.difference >= 0 else "under"
    over = f"a loss {abs(row.difference):.4f} {side} the fully trained network's"
    if not found.reached:
        return (
            f"No rank that was tried reaches eps {found.eps:g}: the best is {row.rank}, with "
            f"{over} and {share}."
        )
    said = f"Rank {row.rank} is enough for eps {found.eps:g}: {over}, {share}."
    if row.high > found.eps:
        said += f" The interval goes beyond eps, up to {row.high:.4f}: more seeds would tell."
    return said


def readings(found: RankTable) -> list[tuple[str, str]]:
    """Return names and values of what else tells how large the task is."""
    metric = "accuracy" if found.task == "classification" else "R^2"
    lines = [
        (
            "held out",
            f"{metric} {found.score:.4f} at rank {found.rank}, on {found.held_out:,} rows",
        ),
        ("trained", f"{found.chosen.trained:,} numbers at rank {found.rank}"),
        ("PCA", f"{found.pca_components:,} components hold 95 % of the variance of the features"),
    ]
    if found.with_subspace:
        d = found.subspace_dimension
        size = f"of {found.baseline.trained:,}"
        reached = "reach 90 % of the fully trained network's score"
        said = f"no random directions {size} {reached}" if d is None else ""
        lines.append(("subspace", said or f"{d:,} random directions {size} {reached}"))
    return lines


def draw_ranks(found: RankTable, kind: str = "png") -> bytes:
    """Draw the curve with its intervals, the fully trained network and the band up to eps.

    Parameters
    ----------
    found : RankTable
    kind : str, default="png"
        Of the picture, as matplotlib calls it: ``"png"``, ``"svg"``, ``"pdf"``, ``"jpg"``.

    Returns
    -------
    bytes
        Of the file. Needs matplotlib, the extra ``plot``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    ranks = [row.rank for row in found.rows if row.rank is not None]
    level, losses = found.baseline.loss, [row.loss for row in found.rows]
    below = [row.difference - row.low for row in found.rows]  # type: ignore[operator]
    above = [row.high - row.difference for row in found.rows]  # type: ignore[operator]
    axes.axhspan(
        level, level + found.eps, color="#0b6e4f", alpha=0.12, lw=0,
        label=f"up to eps = {found.eps:g} above",
    )  # fmt: skip
    axes.axhline(level, color="#1b1b1b", ls="--", lw=1.3, label="fully trained")
    axes.errorbar(
        ranks, losses, [below, above], color="#0b6e4f", marker="o", markersize=4, lw=1.6,
        capsize=3, label=f"adapter, {100 * found.confidence:g} % interval of the difference",
    )  # fmt: skip
    if found.reached:
        axes.plot(
            found.rank, found.chosen.loss, "o", markersize=11, mfc="none", mec="#c8553d", mew=1.8,
            label=f"rank {found.rank}, the smallest that is enough",
        )  # fmt: skip
    axes.set(xscale="log", xlabel="rank", ylabel=f"{_LOSSES[found.task]}, on held-out rows")
    axes.set_xticks(ranks, _tick_labels(ranks, found.rank))
    axes.minorticks_off()
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8.5, frameon=False)
    runs = f"{found.folds} folds x {found.seeds} seed{'s' if found.seeds > 1 else ''}"
    axes.set_title(f"{found.dataset}: mean over {runs}", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def _tick_labels(ranks: list[int], first: int) -> list[str]:
    """Return labels for ranks that are far enough apart on a logarithmic axis, `first` for one."""
    shown = [first]
    for rank in ranks:
        if all(max(rank, other) >= 1.25 * min(rank, other) for other in shown):
            shown.append(rank)
    return [str(rank) if rank in shown else "" for rank in ranks]


def kind_of(path: Path) -> str:
    """Return the kind of picture that a name asks for."""
    return path.suffix[1:].lower()
