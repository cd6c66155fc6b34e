"""Pictures of scores: by rank, by rank without the scaffold, and by stored bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from .data import Gathered, value
from .drawing import COLOURS, Key, Picture, Style, drawing, name_at_the_edge
from .summary import Row, shown

#: More lines than these are one line, of their mean.
MOST_LINES = 6
_VALUES = ("blue", "o"), ("red", "s"), ("green", "^"), ("purple", "D"), ("gold", "v"), ("sky", "X")
#: Styles of the values of a parameter.
STYLES = tuple(Style(colour, marker) for colour, marker in _VALUES)
_ARMS = {
    "adapter": Style("blue", "o", width=2.0),
    "equal_bytes": Style("red", "s"),
    "no_scaffold": Style("green", "^"),
    "scaffold_removed": Style("purple", "v"),
    "wrong_seed": Style("gold", "X"),
    "full": Style("ink", "D", "--"),
    "random_features": Style("quiet", "P", ":"),
    "echo_state": Style("quiet", "h", "-."),
    "linear": Style("quiet", "*", (0, (6, 3))),
}
#: Arms without a rank.
REFERENCES = ("full", "random_features", "echo_state", "linear")


@dataclass(frozen=True)
class Dot:
    """A point of a line: a mean, and how far it spreads."""

    x: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A line of a picture."""

    words: str
    style: Style
    dots: tuple[Dot, ...]


def _edge(found: Gathered, arm: str) -> str:
    """Return what an arm is called at the edge of a picture, where there is little room."""
    return "linear model" if arm == "linear" else found.name(arm)


def _rank(row: Row) -> int | None:
    rank = value(row, "rank")
    return rank if isinstance(rank, int) else None


def _bytes(row: Row) -> int | None:
    return row.stored_bytes


def _line(words: str, style: Style, rows: Iterable[Row], x: Callable[[Row], int | None]) -> Line:
    """Return a line: where several rows share an x, their mean, from the lowest to the highest."""
    groups: dict[int, list[Row]] = {}
    for row in rows:
        at = x(row)
        if at is not None:
            groups.setdefault(at, []).append(row)
    return Line(words, style, tuple(_dot(at, groups[at]) for at in sorted(groups)))


def _dot(x: int, rows: Sequence[Row]) -> Dot:
    means = [row.mean for row in rows if row.mean is not None]
    if len(means) == 1:
        spread = rows[0].spread or 0.0
        return Dot(x, means[0], means[0] - spread, means[0] + spread)
    return Dot(x, fmean(means), min(means), max(means))


def _by_setting(
    found: Gathered, arm: str, x: Callable[[Row], int | None], dashes: str = "-"
) -> list[Line]:
    """Return a line for each setting of the other parameters, or one of their mean."""
    rows = found.scored(arm)
    settings = found.combinations(rows)
    if len(settings) > MOST_LINES:
        words = "adapters, mean" if arm == "adapter" else _edge(found, arm)
        return [_line(words, _ARMS[arm], rows, x)]
    if len(settings) == 1:
        return [_line(_edge(found, arm), _ARMS[arm], rows, x)]
    return [
        _line(setting(values), replace(style, dashes=dashes), group, x)
        for style, (values, group) in zip(STYLES, settings.items(), strict=False)
    ]


def setting(values: Sequence[Any]) -> str:
    """Return the values of the other parameters, as short as the edge of a picture needs them."""
    words = " · ".join(map(shown, values))
    return words if len(words) <= 18 else words[:17] + "…"


def by_rank(found: Gathered) -> Picture | None:
    """Draw scores by rank, with the references as levels; None where there is but one rank."""
    lines = _by_setting(found, "adapter", _rank)
    if len(lines) == 1:
        arms = ("equal_bytes", "no_scaffold")
        lines += [_line(_edge(found, a), _ARMS[a], found.scored(a), _rank) for a in arms]
    if _width(lines) < 2:
        return None
    levels = [
        Line(_edge(found, arm), _ARMS[arm], (_dot(0, rows),))
        for arm in REFERENCES
        if (rows := found.scored(arm))
    ]
    reading = _spread_words(found) + (
        "Further left is fewer trained numbers. Broken lines are references that have no rank, "
        "shaded as far as they spread."
    )
    title = f"{found.score_name} by rank"
    with drawing(3.9) as figure:
        axes = _axes(figure, found)
        _draw(axes, lines)
        for level in levels:
            dot, style = level.dots[0], level.style.keywords() | {"marker": ""}
            axes.axhline(dot.mean, **(style | {"linewidth": 1.2}))
            if dot.high > dot.low:
                axes.axhspan(dot.low, dot.high, color=style["color"], alpha=0.12, linewidth=0)
        _rank_axis(axes, lines)
        # A level's own mark would stand in its line; what names it shows the line alone.
        names = [Key(line.words, line.style, line.dots[-1].mean) for line in lines if line.dots]
        bare = [Key(lv.words, replace(lv.style, marker=""), lv.dots[0].mean) for lv in levels]
        name_at_the_edge(axes, names + bare)
        return Picture.of(figure, "by-rank", title, reading, _told(found, lines + levels, "rank"))


def without_scaffold(found: Gathered) -> Picture | None:
    """Draw what a trained adapter scores without its scaffold and on another one."""
    named = _by_setting(found, "adapter", _rank)
    after = [
        line
        for arm, dashes in (("scaffold_removed", "--"), ("wrong_seed", ":"))
        for line in _by_setting(found, arm, _rank, dashes)
    ]
    lines = [line for line in named + after if line.dots]
    if not after or _width(lines) < 2:
        return None
    reading = _spread_words(found) + (
        "The same trained adapters: as they are, with their scaffold taken away, and on the "
        "scaffold of another seed. The deeper the fall, the more they use the very scaffold that "
        "they were trained on."
    )
    if len(named) > 1:
        reading += " Of each colour the broken line is without the scaffold, the dotted one on "
        reading += "another seed's."
    else:
        named = lines
    with drawing(3.3) as figure:
        axes = _axes(figure, found)
        _draw(axes, lines)
        _rank_axis(axes, lines)
        name_at_the_edge(axes, [Key(li.words, li.style, li.dots[-1].mean) for li in named])
        title = "Adapters without their scaffold"
        told = _told(found, lines, "rank")
        return Picture.of(figure, "without-scaffold", title, reading, told)


def by_bytes(found: Gathered) -> Picture | None:
    """Draw scores by what a file must hold; None where there is nothing to compare."""
    adapters = found.scored("adapter")
    if len(found.combinations(adapters)) == 1:
        lines = [_line(_edge(found, "adapter"), _ARMS["adapter"], adapters, _bytes)]
    else:  # what differs in more than the rank is no line
        dots = tuple(_dot(row.stored_bytes or 0, [row]) for row in adapters)
        lines = [Line("adapters", _ARMS["adapter"].points(), dots)]
    for arm in ("equal_bytes", "no_scaffold", *REFERENCES):
        style = _ARMS[arm].points() if arm in REFERENCES else _ARMS[arm]
        lines.append(_line(_edge(found, arm), style, found.scored(arm), _bytes))
    lines = [line for line in lines if line.dots]
    if not adapters or _width(lines) < 2:
        return None
    reading = (
        "Further left is a smaller file, on a logarithmic scale: trained numbers in 32 bits, and 8 "
        "bytes of seed where weights follow from one. Where the dense network of the same bytes "
        "lies above the adapter, it is the better use of that space."
    )
    with drawing(3.9) as figure:
        axes = _axes(figure, found)
        _draw(axes, lines)
        axes.set_xscale("log")
        axes.set_xlabel("stored bytes")
        sizes = [dot.x for line in lines for dot in line.dots]
        ticks = _round_sizes(min(sizes), max(sizes))
        axes.set_xticks(ticks, list(map(bytes_words, ticks)))
        axes.minorticks_off()
        keys = [Key(line.words, line.style, line.dots[-1].mean) for line in lines]
        name_at_the_edge(axes, keys, leaders=False)
        told = _told(found, lines, "bytes")
        return Picture.of(
            figure, "by-bytes", f"{found.score_name} against stored bytes", reading, told
        )


def bytes_words(size: float) -> str:
    """Return a size for a scale.

    Examples
    --------
    >>> bytes_words(20_000), bytes_words(1e6), bytes_words(500)
    ('20k', '1M', '500')
    """
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return f"{size:g}"


def _round_sizes(low: float, high: float) -> list[float]:
    """Return round sizes between two, few enough to be written side by side."""
    for steps in ((1, 2, 5), (1, 3), (1,)):
        exponents = range(int(math.log10(low)) - 1, int(math.log10(high)) + 2)
        sizes = [step * 10.0**k for k in exponents for step in steps]
        found = [size for size in sizes if 0.8 * low <= size <= 1.25 * high]
        if len(found) <= 5:
            break
    return found


def _width(lines: Iterable[Line]) -> int:
    """Return how many places on the x axis lines have."""
    return len({dot.x for line in lines for dot in line.dots})


def _axes(figure: Any, found: Gathered) -> Any:
    axes = figure.subplots()
    axes.set_title(found.score_unit, loc="left", fontsize=11, color=COLOURS["quiet"])
    return axes


def _draw(axes: Any, lines: Iterable[Line]) -> None:
    for line in lines:
        down = [dot.mean - dot.low for dot in line.dots]
        up = [dot.high - dot.mean for dot in line.dots]
        axes.errorbar(
            [dot.x for dot in line.dots],
            [dot.mean for dot in line.dots],
            [down, up],
            capsize=2.5,
            elinewidth=1.0,
            **line.style.keywords(),
        )


def _rank_axis(axes: Any, lines: Iterable[Line]) -> None:
    """Put every rank on a logarithmic axis, but for those that would run into each other."""
    ranks = sorted({dot.x for line in lines for dot in line.dots})
    axes.set_xscale("log", base=2)
    apart, shown_ranks = (math.log(ranks[-1]) - math.log(ranks[0])) / 12, ranks[:1]
    for rank in ranks[1:]:
        if math.log(rank) - math.log(shown_ranks[-1]) > apart:
            shown_ranks.append(rank)
    axes.set_xticks(shown_ranks, list(map(str, shown_ranks)))
    axes.minorticks_off()
    axes.set_xlabel("rank")


def _spread_words(found: Gathered) -> str:
    """Return what lines and bars are, as the beginning of a caption."""
    several = len(found.combinations(found.scored("adapter")))
    if several > MOST_LINES:
        return (
            f"The line of adapters is the mean over {several} settings of "
            f"{' and '.join(found.others)}; its bars reach from the lowest to the highest. "
        )
    each = f"A line for each {' · '.join(found.others)}. " if several > 1 else ""
    if found.others == ["resample"]:
        each += "none keeps its scaffold, the others draw it anew while training. "
    return f"{each}Bars are one standard deviation over seeds. "


def _told(found: Gathered, lines: Iterable[Line], x: str) -> str:
    """Return a picture in words, for who does not see it."""
    parts = []
    for line in lines:
        dots = [(f"{x} {dot.x:,}: " if dot.x else "") + found.number(dot.mean) for dot in line.dots]
        parts.append(f"{line.words}, {', '.join(dots)}")
    return f"{found.score_unit}. {'; '.join(parts)}."
