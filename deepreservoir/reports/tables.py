"""The tables of a report: comparison with published figures, all scores, and failed runs."""

from __future__ import annotations

from ..experiments.comparisons.arms import AFTERWARDS
from .data import Gathered
from .html import Column, Markup, table, tag
from .paired import paired_differences
from .scores import value
from .shares import full_size, share, share_head
from .summary import Beside, Row, at_words, shown
from .wording import failures, place

_NONE = "\N{EN DASH}"  # for cells without a value


def targets_met(gathered: Gathered) -> str:
    """Return a sentence on the number of targets that are met."""
    judged = [row.met for row in gathered.beside if row.met is not None]
    waiting = [row for row in gathered.beside if row.target is not None and row.mean is None]
    if not judged and not waiting:
        return "The sweep has published figures to compare with, but declares no targets."
    words = f"{sum(judged)} of {len(judged) + len(waiting)} targets are met."
    missed = [_place(gathered, row) for row in gathered.beside if row.met is False]
    if missed:
        words += f" Missed: {'; '.join(missed)}."
    if waiting:
        n = len(waiting)
        words += f" {n} {'target has' if n == 1 else 'targets have'} no runs yet."
    return words


def _place(gathered: Gathered, row: Beside) -> str:
    at = at_words(row.figure.at)
    return gathered.name(row.figure.arm) + (f", {at}" if at else "")


def beside_figures(gathered: Gathered) -> Markup:
    """Return the table that compares our results with published figures."""
    rows = gathered.beside
    published = gathered.folder.sweep.published
    sizes = any(row.figure.trained is not None for row in rows)
    varied = any(row.others is not None for row in rows)
    aimed = any(row.target is not None for row in rows)
    full = full_size((row.arm, row.trained) for row in gathered.rows)
    columns = [
        Column("arm"),
        Column("at"),
        Column(f"ours, {gathered.unit}", "number"),
        *([Column("range over other parameters", "number")] if varied else []),
        Column("published", "number"),
        Column("difference", "number"),
        *([Column("target", "number"), Column("verdict")] if aimed else []),
        *([Column("trained parameters", "number"), Column("published", "number")] if sizes else []),
        *([Column(share_head(full), "number")] if full else []),
    ]
    source = published.source if published else ""
    return table(
        "beside",
        f"Our results and published figures, {gathered.score_unit}. Source: {source}",
        columns,
        [
            _beside_row(gathered, row, varied, aimed, sizes)
            + ([share(row.trained, full) or _NONE] if full else [])
            for row in rows
        ],
    )


def _beside_row(
    gathered: Gathered, row: Beside, varied: bool, aimed: bool, sizes: bool
) -> list[str]:
    verdict = {None: _NONE, True: "✓ met", False: tag("strong", "✗ missed")}[row.met]
    if row.mean is None:
        verdict = "no runs yet"
    target = _NONE if row.target is None else f"≥ {gathered.number(row.target)}"
    return [
        gathered.name(row.figure.arm),
        at_words(row.figure.at) or _NONE,
        _score(gathered, row.mean, row.spread, row.seeds),
        *([_number(gathered, row.others)] if varied else []),
        _number(gathered, row.figure.score),
        _NONE if row.difference is None else gathered.number(row.difference, "+"),
        *([target, verdict] if aimed else []),
        *([_whole(row.trained), _whole(row.figure.trained)] if sizes else []),
    ]


def all_figures(gathered: Gathered) -> Markup:
    """Return the table of all arms at all grid points."""
    names = [name for name, _ in gathered.folder.sweep.grid]
    after = {(row.arm, row.at): row for row in gathered.rows if row.arm in AFTERWARDS}
    evaluated = [arm for arm in AFTERWARDS if any(key[0] == arm for key in after)]
    full = full_size((row.arm, row.trained) for row in gathered.rows)
    columns = [
        Column("arm"),
        *(Column(name, _kind(gathered, name)) for name in names),
        Column(gathered.score_unit, "number"),
        *(Column(gathered.name(arm), "number") for arm in evaluated),
        Column("trained parameters", "number"),
        *([Column(share_head(full), "number")] if full else []),
        Column("stored bytes", "number"),
        Column("seconds", "number"),
        Column("runs", "number"),
    ]
    rows = [
        [
            gathered.name(row.arm),
            *(shown(value(row, name)) if name in dict(row.at) else _NONE for name in names),
            _score(gathered, row.mean, row.spread, row.runs),
            *(_afterwards(gathered, row, after.get((arm, row.at))) for arm in evaluated),
            _whole(row.trained),
            *([share(row.trained, full) or _NONE] if full else []),
            _whole(row.stored_bytes),
            _NONE if row.seconds is None else f"{row.seconds:,.2f}",
            f"{row.runs}" + (f" ({row.failed} failed)" if row.failed else ""),
        ]
        for row in gathered.rows
        if row.arm not in AFTERWARDS
    ]
    caption = "All arms at all grid points: mean ± standard deviation over seeds"
    return table("all", caption, columns, rows)


def differences(gathered: Gathered) -> Markup:
    """Return the table of the adapters' differences from their controls, paired by seed."""
    columns = [
        Column("adapter at"),
        Column("minus"),
        Column("seeds", "number"),
        Column(f"difference, {'points' if gathered.classes else gathered.unit}", "number"),
        Column("95 % interval", "number"),
    ]
    unit = 100 if gathered.classes else 1
    rows = []
    for each in paired_differences(gathered.folder):
        mean, interval = unit * each.mean, _NONE
        if each.half_width is not None:
            half = unit * each.half_width
            low, high = (gathered.number(end, "+") for end in (mean - half, mean + half))
            interval = f"{low} to {high}"
        at = at_words(each.at) or _NONE
        rows.append(
            [at, gathered.name(each.arm), f"{each.seeds}", gathered.number(mean, "+"), interval]
        )
    caption = (
        "Score of the adapter minus that of its control on the same seed: mean, and the interval "
        "of the mean by Student's t. It shows a difference where it does not hold zero."
    )
    return table("differences", caption, columns, rows)


def failed_runs(gathered: Gathered) -> Markup:
    """Return the table of failed runs and their errors."""
    columns = [Column("arm"), Column("at"), Column("seed", "number"), Column("error", "long")]
    rows = [
        [gathered.name(r["arm"]), place(gathered, r) or _NONE, str(r["seed"]), r["error"]]
        for r in failures(gathered)
    ]
    return table("failures", "Errors of the failed runs", columns, rows)


def _afterwards(gathered: Gathered, row: Row, after: Row | None) -> str:
    if row.arm != "adapter" or after is None:
        return _NONE
    return _score(gathered, after.mean, after.spread, after.runs)


def _kind(gathered: Gathered, name: str) -> str:
    values = dict(gathered.folder.sweep.grid)[name]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return "number" if numbers else "words"


def _score(gathered: Gathered, mean: float | None, spread: float | None, n: int) -> str:
    if mean is None:
        return _NONE
    return gathered.number(mean) + (f" ± {gathered.number(spread or 0.0)}" if n > 1 else "")


def _number(gathered: Gathered, number: float | None) -> str:
    return _NONE if number is None else gathered.number(number)


def _whole(number: int | None) -> str:
    return _NONE if number is None else f"{number:,}"
