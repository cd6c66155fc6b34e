"""The picture of scaffold families: a table of scores by family and rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from .data import Gathered
from .drawing import COLOURS, Picture, drawing
from .scores import value
from .summary import shown


@dataclass(frozen=True)
class FamilyTable:
    """Mean scores of families, best first.

    Attributes
    ----------
    columns : tuple
        Ranks; (None,) if the grid has no rank.
    rows : tuple of (str, tuple of float or None)
        A family and its score at each rank; None if there is no score yet.
    """

    columns: tuple[Any, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]

    def spreads(self) -> tuple[float | None, ...]:
        """Return best minus worst family for each column; None for fewer than two families."""
        spreads: list[float | None] = []
        for i in range(len(self.columns)):
            scores = [cells[i] for _, cells in self.rows]
            known = [score for score in scores if score is not None]
            spreads.append(max(known) - min(known) if len(known) > 1 else None)
        return tuple(spreads)


def family_table(gathered: Gathered) -> FamilyTable | None:
    """Return mean scores by family and rank; None for fewer than two families.

    Families are sorted by their mean over ranks; families without a score at some rank are last.
    """
    cells: dict[tuple[str, Any], list[float]] = {}
    for row in gathered.scored("adapter"):
        family = value(row, "scaffold")
        if family is not None and row.mean is not None:
            cells.setdefault((family, value(row, "rank")), []).append(row.mean)
    columns = tuple(dict.fromkeys(rank for _, rank in cells))
    families = dict.fromkeys(family for family, _ in cells)
    if len(families) < 2:
        return None
    order = dict(gathered.folder.sweep.grid).get("rank", (None,))
    columns = tuple(sorted(columns, key=order.index))

    def scores(family: str) -> tuple[float | None, ...]:
        return tuple(
            fmean(cells[family, rank]) if (family, rank) in cells else None for rank in columns
        )

    def place(row: tuple[str, Sequence[float | None]]) -> tuple[bool, float]:
        known = [score for score in row[1] if score is not None]
        return len(known) < len(columns), -fmean(known)

    return FamilyTable(columns, tuple(sorted(((f, scores(f)) for f in families), key=place)))


def family_map(gathered: Gathered) -> Picture | None:
    """Draw the scores by family and rank; None for fewer than two families."""
    table = family_table(gathered)
    if table is None:
        return None
    n = len(table.rows)
    known = [score for _, cells in table.rows for score in cells if score is not None]
    low, high = min(known), max(known)
    with drawing(0.9 + 0.25 * n) as figure:
        import matplotlib

        # One hue from light to dark: legible in grey and to colour-blind readers.
        colours = matplotlib.colormaps["Blues"]
        axes = figure.subplots()
        axes.set(xlim=(-0.5, len(table.columns) - 0.5), ylim=(n + 0.9, -0.5))
        for j, (_, cells) in enumerate(table.rows):
            for i, score in enumerate(cells):
                if score is not None:
                    share = (score - low) / (high - low) if high > low else 0.5
                    _cell(axes, i, j, gathered.number(score), colours(0.12 + 0.73 * share))
        for i, spread in enumerate(table.spreads()):
            if spread is not None:
                axes.text(i, n + 0.3, gathered.number(spread), ha="center", va="center_baseline")
        axes.set_yticks([*range(n), n + 0.3], [*(family for family, _ in table.rows), "spread"])
        axes.set_xticks(
            range(len(table.columns)),
            ["" if c is None else f"rank {shown(c)}" for c in table.columns],
        )
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelcolor=COLOURS["ink"])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        title = f"{gathered.score_name} by scaffold family"
        reading = (
            "One row per family, best first; darker is better. The last row is the spread, best "
            "minus worst family: the effect of the choice of family at that rank."
        )
        return Picture.of(figure, "families", title, reading, _describe(gathered, table))


def _cell(axes: Any, i: int, j: int, words: str, colour: tuple[float, ...]) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((i - 0.48, j - 0.46), 0.96, 0.92, facecolor=colour, linewidth=0))
    # At a luminance of 0.18, black and white text have the same contrast.
    ink = "#ffffff" if _luminance(colour) < 0.18 else "#000000"
    axes.text(i, j, words, ha="center", va="center_baseline", color=ink)


def _luminance(colour: tuple[float, ...]) -> float:
    """Return the relative luminance of an sRGB colour, from 0 to 1 (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _describe(gathered: Gathered, table: FamilyTable) -> str:
    parts = [
        f"{family} " + ", ".join("none" if s is None else gathered.number(s) for s in cells)
        for family, cells in table.rows
    ]
    return f"{gathered.score_unit}, best family first. {'; '.join(parts)}."
