"""Pictures of scores: by rank, by rank without the scaffold, and by stored size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from ..experiments.comparisons.score_axis import score_limits
from .data import Gathered
from .drawing import COLOURS, Key, Picture, Style, drawing, name_at_the_edge
from .scores import value
from .summary import Row, shown

#: If there were more lines than this, one line shows their mean.
MOST_LINES = 6
_VALUES = ("blue", "o"), ("red", "s"), ("green", "^"), ("purple", "D"), ("gold", "v"), ("sky", "X")
#: Line styles for the values of a parameter.
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
    "label_propagation": Style("purple", "d", (0, (1, 1))),
    "fingerprints": Style("purple", "d", (0, (1, 1))),
    "trigram": Style("quiet", "*", (0, (6, 3))),
    "behaviour_cloning": Style("quiet", "*", (0, (6, 3))),
}
#: Arms without a rank.
REFERENCES = (
    "full",
    "random_features",
    "echo_state",
    "linear",
    "label_propagation",
    "fingerprints",
    "trigram",
    "behaviour_cloning",
)


@dataclass(frozen=True)
class Dot:
    """A point of a line: a mean with an error bar."""

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


def _edge(gathered: Gathered, arm: str) -> str:
    """Return the name of an arm at the edge of a picture, where space is limited."""
    return "linear model" if arm == "linear" else gathered.name(arm)


def _rank(row: Row) -> int | None:
    rank = value(row, "rank")
    return rank if isinstance(rank, int) else None


def _bytes(row: Row) -> int | None:
    return row.stored_bytes or None  # nothing is stored of label propagation


def _line(words: str, style: Style, rows: Iterable[Row], x: Callable[[Row], int | None]) -> Line:
    """Return a line; rows with the same x become one point: their mean and their range."""
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
    gathered: Gathered, arm: str, x: Callable[[Row], int | None], dashes: str = "-"
) -> list[Line]:
    """Return one line per setting of the other parameters, or one line with their mean."""
    rows = gathered.scored(arm)
    settings = gathered.combinations(rows)
    if len(settings) > MOST_LINES:
        words = "adapters, mean" if arm == "adapter" else _edge(gathered, arm)
        return [_line(words, _ARMS[arm], rows, x)]
    if len(settings) == 1:
        return [_line(_edge(gathered, arm), _ARMS[arm], rows, x)]
    return [
        _line(setting(values), replace(style, dashes=dashes), group, x)
        for style, (values, group) in zip(STYLES, settings.items(), strict=False)
    ]


def setting(values: Sequence[Any]) -> str:
    """Return the values of the other parameters, shortened for the edge of a picture."""
    words = " · ".join(map(shown, values))
    return words if len(words) <= 18 else words[:17] + "…"


def by_rank(gathered: Gathered) -> Picture | None:
    """Draw scores by rank, with the references as levels; None if there is only one rank."""
    adapters = _by_setting(gathered, "adapter", _rank)
    arms = ("equal_bytes", "no_scaffold") if len(adapters) == 1 else ()
    controls = [_line(_edge(gathered, a), _ARMS[a], gathered.scored(a), _rank) for a in arms]
    lines = adapters + controls
    if _width(lines) < 2:
        return None
    levels = [
        Line(_edge(gathered, arm), _ARMS[arm], (_dot(0, rows),))
        for arm in REFERENCES
        if (rows := gathered.scored(arm))
    ]
    shading = "" if _one_seed(gathered) else "; the shading is their spread"
    limits = _limits(gathered, adapters, controls + levels)
    reading = _spread_words(gathered) + (
        "The number of trained parameters grows with the rank. Horizontal lines are references "
        f"without a rank{shading}.{_below_words(limits, lines + levels)}"
    )
    title = f"{gathered.score_name} by rank"
    with drawing(3.9) as figure:
        axes = _axes(figure, gathered)
        _draw(axes, lines, limits)
        for level in levels:
            dot, style = level.dots[0], level.style.keywords() | {"marker": ""}
            axes.axhline(dot.mean, **(style | {"linewidth": 1.2}))
            if dot.high > dot.low:
                axes.axhspan(dot.low, dot.high, color=style["color"], alpha=0.12, linewidth=0)
        _rank_axis(axes, lines)
        names = [_key(line, limits) for line in lines if line.dots]
        # Levels are drawn without markers, and so are their keys.
        level_names = [
            replace(_key(level, limits), style=replace(level.style, marker="")) for level in levels
        ]
        name_at_the_edge(axes, names + level_names)
        description = _describe(gathered, lines + levels, "rank")
        return Picture.of(figure, "by-rank", title, reading, description)


def without_scaffold(gathered: Gathered) -> Picture | None:
    """Draw the scores of the trained adapters without their scaffold and on another one."""
    named = _by_setting(gathered, "adapter", _rank)
    after = [
        line
        for arm, dashes in (("scaffold_removed", "--"), ("wrong_seed", ":"))
        for line in _by_setting(gathered, arm, _rank, dashes)
    ]
    lines = [line for line in named + after if line.dots]
    if not after or _width(lines) < 2:
        return None
    reading = _spread_words(gathered) + (
        "The same trained adapters are scored as they are, with their scaffold removed, and on "
        "the scaffold of another seed. The larger the drop, the more they depend on the scaffold "
        "that they were trained on."
    )
    if len(named) > 1:
        reading += " In each colour, the dashed line is without the scaffold and the dotted line "
        reading += "on another seed's scaffold."
    else:
        named = lines
    limits = _drop_limits(gathered, lines)
    reading += _below_words(limits, named)
    with drawing(3.3) as figure:
        axes = _axes(figure, gathered)
        _draw(axes, lines, limits)
        _rank_axis(axes, lines)
        name_at_the_edge(axes, [_key(line, limits) for line in named])
        title = "Adapters without their scaffold"
        description = _describe(gathered, lines, "rank")
        return Picture.of(figure, "without-scaffold", title, reading, description)


def by_bytes(gathered: Gathered) -> Picture | None:
    """Draw scores by stored bytes; None if there is nothing to compare."""
    adapters = gathered.scored("adapter")
    if len(gathered.combinations(adapters)) == 1:
        lines = [_line(_edge(gathered, "adapter"), _ARMS["adapter"], adapters, _bytes)]
    else:  # adapters that differ in more than the rank are not connected by a line
        dots = tuple(_dot(row.stored_bytes or 0, [row]) for row in adapters)
        lines = [Line("adapters", _ARMS["adapter"].points(), dots)]
    for arm in ("equal_bytes", "no_scaffold", *REFERENCES):
        style = _ARMS[arm].points() if arm in REFERENCES else _ARMS[arm]
        lines.append(_line(_edge(gathered, arm), style, gathered.scored(arm), _bytes))
    lines = [line for line in lines if line.dots]
    if not adapters or _width(lines) < 2:
        return None
    limits = _limits(gathered, lines[:1], lines[1:])
    reading = (
        "Stored bytes, on a logarithmic scale, are the trained parameters in 32 bits, plus 8 "
        "bytes for the seed if there are frozen weights. Where the dense network of the same size "
        f"is above the adapter, it makes better use of the space.{_below_words(limits, lines)}"
    )
    with drawing(3.9) as figure:
        axes = _axes(figure, gathered)
        _draw(axes, lines, limits)
        axes.set_xscale("log")
        axes.set_xlabel("stored bytes")
        sizes = [dot.x for line in lines for dot in line.dots]
        ticks = _round_sizes(min(sizes), max(sizes))
        axes.set_xticks(ticks, list(map(bytes_words, ticks)))
        axes.minorticks_off()
        keys = [_key(line, limits) for line in lines]
        name_at_the_edge(axes, keys, leaders=False)
        title = f"{gathered.score_name} by stored bytes"
        description = _describe(gathered, lines, "bytes")
        return Picture.of(figure, "by-bytes", title, reading, description)


def bytes_words(size: float) -> str:
    """Return a size as a tick label.

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
    """Return round sizes from `low` to `high`, few enough for their labels not to overlap."""
    for steps in ((1, 2, 5), (1, 3), (1,)):
        exponents = range(int(math.log10(low)) - 1, int(math.log10(high)) + 2)
        sizes = [step * 10.0**k for k in exponents for step in steps]
        in_range = [size for size in sizes if 0.8 * low <= size <= 1.25 * high]
        if len(in_range) <= 5:
            break
    return in_range


def _width(lines: Iterable[Line]) -> int:
    """Return the number of distinct x values of lines."""
    return len({dot.x for line in lines for dot in line.dots})


def _limits(
    gathered: Gathered, adapters: Iterable[Line], others: Iterable[Line]
) -> tuple[float, float] | None:
    """Return the limits of the axis of scores, which leave out controls that fail."""
    kept, rest = ([dot.mean for line in lines for dot in line.dots] for lines in (adapters, others))
    return score_limits(kept, rest, 100 if gathered.classes else 1)


def _drop_limits(gathered: Gathered, lines: Sequence[Line]) -> tuple[float, float] | None:
    """Return the limits of a picture of drops: all scores, but not R^2 far below 0.

    R^2 is 0 for a constant prediction, and without its scaffold a network can be at -1000.
    """
    means = [dot.mean for line in lines for dot in line.dots]
    adapters = [row.mean for row in gathered.scored("adapter") if row.mean is not None]
    lowest = min(0.0, *adapters) - 0.5
    if gathered.classes or min(means) >= lowest:
        return None
    return lowest, max(means) + 0.05 * (max(means) - lowest)


def _ends_below(line: Line, limits: tuple[float, float] | None) -> bool:
    return limits is not None and line.dots[-1].mean < limits[0]


def _key(line: Line, limits: tuple[float, float] | None) -> Key:
    """Return the name of a line, with an arrow if the line ends below the axis."""
    if limits is None or not _ends_below(line, limits):
        return Key(line.words, line.style, line.dots[-1].mean)
    return Key(f"{line.words} \N{DOWNWARDS ARROW}", line.style, limits[0])


def _below_words(limits: tuple[float, float] | None, lines: Iterable[Line]) -> str:
    if not any(line.dots and _ends_below(line, limits) for line in lines):
        return ""
    return (
        " Arms with an arrow end below the axis, which is limited so that the others can be told "
        "apart; the table has their scores."
    )


def _axes(figure: Any, gathered: Gathered) -> Any:
    axes = figure.subplots()
    axes.set_title(gathered.score_unit, loc="left", fontsize=11, color=COLOURS["quiet"])
    return axes


def _draw(axes: Any, lines: Iterable[Line], limits: tuple[float, float] | None) -> None:
    """Draw lines with their error bars, and set the limits of the scores."""
    lowest = -math.inf if limits is None else limits[0]
    for line in lines:
        # The bar of a point below the axis would reach into it without its point.
        bars = [
            (dot.mean - dot.low, dot.high - dot.mean) if dot.mean >= lowest else (0.0, 0.0)
            for dot in line.dots
        ]
        # Bars of no length would look like a deviation of 0.
        bars = [bar if any(bar) else (math.nan, math.nan) for bar in bars]
        axes.errorbar(
            [dot.x for dot in line.dots],
            [dot.mean for dot in line.dots],
            list(zip(*bars, strict=True)),
            capsize=2.5,
            elinewidth=1.0,
            **line.style.keywords(),
        )
    if limits is not None:
        axes.set_ylim(limits)


def _rank_axis(axes: Any, lines: Iterable[Line]) -> None:
    """Label the ranks on a logarithmic axis, except where labels would overlap."""
    ranks = sorted({dot.x for line in lines for dot in line.dots})
    axes.set_xscale("log", base=2)
    gap, labelled_ranks = (math.log(ranks[-1]) - math.log(ranks[0])) / 12, ranks[:1]
    for rank in ranks[1:]:
        if math.log(rank) - math.log(labelled_ranks[-1]) > gap:
            labelled_ranks.append(rank)
    axes.set_xticks(labelled_ranks, list(map(str, labelled_ranks)))
    axes.minorticks_off()
    axes.set_xlabel("rank")


def _one_seed(gathered: Gathered) -> bool:
    return max((row.runs for row in gathered.scored("adapter")), default=0) == 1


def _spread_words(gathered: Gathered) -> str:
    """Return the first sentences of a caption: the meaning of lines and bars."""
    n_settings = len(gathered.combinations(gathered.scored("adapter")))
    if n_settings > MOST_LINES:
        return (
            f"The line of the adapters is the mean over {n_settings} settings of "
            f"{' and '.join(gathered.others)}; its bars range from the lowest to the highest. "
        )
    lines = ""
    if n_settings > 1:
        several = len(gathered.others) > 1
        lines = f"One line for each {'combination' if several else 'value'} of "
        lines += f"{' and '.join(gathered.others)}. "
    if gathered.others == ["resample"]:
        lines += "With none, the scaffold is kept; the other schedules redraw it during training. "
    if _one_seed(gathered):
        return f"{lines}Each point is one run, with one seed. "
    return f"{lines}Bars show one standard deviation over seeds. "


def _describe(gathered: Gathered, lines: Iterable[Line], x: str) -> str:
    """Return a picture in words, for readers who cannot see it."""
    parts = []
    for line in lines:
        dots = [
            (f"{x} {dot.x:,}: " if dot.x else "") + gathered.number(dot.mean) for dot in line.dots
        ]
        parts.append(f"{line.words}, {', '.join(dots)}")
    return f"{gathered.score_unit}. {'; '.join(parts)}."
