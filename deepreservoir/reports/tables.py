"""The tables of a report: ours beside published, all figures, and what failed."""

from __future__ import annotations

from .data import Gathered, value
from .html import Column, Markup, table, tag
from .summary import Beside, Row, at_words, shown
from .wording import failures, place

# Arms that look at a trained adapter stand in columns beside it.
_AFTERWARDS = ("scaffold_removed", "wrong_seed")
_NONE = "\N{EN DASH}"  # in a cell that has no value


def targets_met(found: Gathered) -> str:
    """Return how many targets are met, in a sentence."""
    judged = [row.met for row in found.beside if row.met is not None]
    waiting = [row for row in found.beside if row.target is not None and row.mean is None]
    if not judged and not waiting:
        return "Ours beside published figures, for which the sweep sets no target."
    words = f"{sum(judged)} of {len(judged) + len(waiting)} targets are met"
    missed = [_place(found, row) for row in found.beside if row.met is False]
    words += f"; missed: {'; '.join(missed)}." if missed else "."
    return words + (f" {len(waiting)} have no runs yet." if waiting else "")


def _place(found: Gathered, row: Beside) -> str:
    at = at_words(row.figure.at)
    return found.name(row.figure.arm) + (f", {at}" if at else "")


def beside_figures(found: Gathered) -> Markup:
    """Return published figures with ours beside them."""
    rows = found.beside
    published = found.folder.sweep.published
    sizes = any(row.figure.trained is not None for row in rows)
    varied = any(row.others is not None for row in rows)
    aimed = any(row.target is not None for row in rows)
    columns = [
        Column("arm"),
        Column("at"),
        Column(f"ours, {found.unit}", "number"),
        *([Column("spread over the rest", "number")] if varied else []),
        Column("published", "number"),
        Column("difference", "number"),
        *([Column("target", "number"), Column("verdict")] if aimed else []),
        *([Column("trained numbers", "number"), Column("published", "number")] if sizes else []),
    ]
    source = published.source if published else ""
    return table(
        "beside",
        f"Ours beside published, {found.score_unit}: {source}",
        columns,
        [_beside_row(found, row, varied, aimed, sizes) for row in rows],
    )


def _beside_row(found: Gathered, row: Beside, varied: bool, aimed: bool, sizes: bool) -> list[str]:
    verdict = {None: _NONE, True: "✓ met", False: tag("strong", "✗ missed")}[row.met]
    if row.mean is None:
        verdict = "no runs yet"
    target = _NONE if row.target is None else f"≥ {found.number(row.target)}"
    return [
        found.name(row.figure.arm),
        at_words(row.figure.at) or _NONE,
        _score(found, row.mean, row.spread, row.seeds),
        *([_number(found, row.others)] if varied else []),
        _number(found, row.figure.score),
        _NONE if row.difference is None else found.number(row.difference, "+"),
        *([target, verdict] if aimed else []),
        *([_whole(row.trained), _whole(row.figure.trained)] if sizes else []),
    ]


def all_figures(found: Gathered) -> Markup:
    """Return every arm at every point, what adapters are without their scaffold beside them."""
    names = [name for name, _ in found.folder.sweep.grid]
    after = {(row.arm, row.at): row for row in found.rows if row.arm in _AFTERWARDS}
    looked_at = [arm for arm in _AFTERWARDS if any(key[0] == arm for key in after)]
    columns = [
        Column("arm"),
        *(Column(name, _kind(found, name)) for name in names),
        Column(found.score_unit, "number"),
        *(Column(found.name(arm), "number") for arm in looked_at),
        Column("trained numbers", "number"),
        Column("stored bytes", "number"),
        Column("seconds", "number"),
        Column("runs", "number"),
    ]
    rows = [
        [
            found.name(row.arm),
            *(shown(value(row, name)) if name in dict(row.at) else _NONE for name in names),
            _score(found, row.mean, row.spread, row.runs),
            *(_afterwards(found, row, after.get((arm, row.at))) for arm in looked_at),
            _whole(row.trained),
            _whole(row.stored_bytes),
            _NONE if row.seconds is None else f"{row.seconds:,.2f}",
            f"{row.runs}" + (f" ({row.failed} failed)" if row.failed else ""),
        ]
        for row in found.rows
        if row.arm not in _AFTERWARDS
    ]
    caption = "Every arm at every point of the grid: mean ± standard deviation over seeds"
    return table("all", caption, columns, rows)


def failed_runs(found: Gathered) -> Markup:
    """Return the runs that failed, each with what was raised."""
    columns = [Column("arm"), Column("at"), Column("seed", "number"), Column("error", "long")]
    rows = [
        [found.name(r["arm"]), place(found, r) or _NONE, str(r["seed"]), r["error"]]
        for r in failures(found)
    ]
    return table("failures", "What was raised, run by run", columns, rows)


def _afterwards(found: Gathered, row: Row, after: Row | None) -> str:
    if row.arm != "adapter" or after is None:
        return _NONE
    return _score(found, after.mean, after.spread, after.runs)


def _kind(found: Gathered, name: str) -> str:
    values = dict(found.folder.sweep.grid)[name]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return "number" if numbers else "words"


def _score(found: Gathered, mean: float | None, spread: float | None, n: int) -> str:
    if mean is None:
        return _NONE
    return found.number(mean) + (f" ± {found.number(spread or 0.0)}" if n > 1 else "")


def _number(found: Gathered, number: float | None) -> str:
    return _NONE if number is None else found.number(number)


def _whole(number: int | None) -> str:
    return _NONE if number is None else f"{number:,}"
