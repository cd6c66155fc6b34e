"""What a sweep's figures say, and what they do not: sentences that are computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from ..sweeps.plain_data import frozen
from ..sweeps.spec import Point
from .data import Gathered, value
from .heat import family_table
from .summary import Row, at_words, shown


@dataclass(frozen=True)
class Pair:
    """An adapter, and a control that answers for it."""

    adapter: Row
    control: Row

    @property
    def lead(self) -> float:
        """By how much the adapter scores above the control."""
        return (self.adapter.mean or 0.0) - (self.control.mean or 0.0)

    @property
    def level(self) -> bool:
        """Whether the two are within one standard deviation over seeds, of the larger."""
        return abs(self.lead) <= max(self.adapter.spread or 0.0, self.control.spread or 0.0)


def pairs(found: Gathered, arm: str) -> list[Pair]:
    """Return each adapter with the control of the same point, as far as that has its values."""
    return [
        Pair(adapter, control)
        for adapter in found.scored("adapter")
        for control in found.scored(arm)
        if set(control.at) <= set(adapter.at)
    ]


def findings(found: Gathered) -> list[tuple[str, str]]:
    """Return what the figures say: of each topic a sentence or two."""
    topics = {
        "Adapters": _cost,
        "No scaffold": _scaffold,
        "Use of the scaffold": _afterwards,
        "Same bytes": _bytes,
        "Cheap references": _references,
        "Families": _families,
        "Resampling": _schedules,
        "Seeds": _seeds,
    }
    return [(topic, words) for topic, say in topics.items() if (words := say(found))]


def _cost(found: Gathered) -> str:
    """Say how near the adapters of the highest rank come to the fully trained network."""
    compared = pairs(found, "full")
    ranks = [rank for p in compared if isinstance(rank := value(p.adapter, "rank"), int)]
    last = [p for p in compared if not ranks or value(p.adapter, "rank") == max(ranks)]
    if not last:
        return ""
    worst, best = (pick(last, key=lambda p: p.adapter.mean or 0.0) for pick in (min, max))
    place = f" at rank {max(ranks)}" if ranks else ""
    reached = f"The adapter reaches {found.score(best.adapter.mean or 0.0)}{place}"
    if len(last) > 1:
        ends = (
            f"{found.score(p.adapter.mean or 0.0)} ({at_words(_rest(p))})" for p in (worst, best)
        )
        reached = f"Adapters{place} reach from {' to '.join(ends)}"
    distance = f"{found.points(abs(best.lead))} {'below' if best.lead < 0 else 'above'}"
    if found.number(abs(best.lead)) == found.number(0.0):
        distance = "as good as"
    words = f"{reached}, {distance} the fully trained network "
    words += f"({found.score(best.control.mean or 0.0)})"
    ours, theirs = best.adapter.trained, best.control.trained
    if ours and theirs:
        share = f"{100 * ours / theirs:.1f}\N{NO-BREAK SPACE}%"
        words += f", with {ours:,} of its {theirs:,} numbers trained ({share})"
    return f"{words}."


def _scaffold(found: Gathered) -> str:
    """Say where the low-rank path alone is as good."""
    compared = pairs(found, "no_scaffold")
    if not compared:
        return ""
    reached = [p for p in compared if p.level or p.lead <= 0]
    if reached:
        words = (
            "Without a scaffold (W = 0) the low-rank path alone is as good as the adapter, within "
            f"one standard deviation or better, at {_where(reached, compared)}: there this task "
            "does not show that the scaffold helps."
        )
        ahead = sorted(p.lead for p in compared if p not in reached)
        return words + (f" Elsewhere it is worth {_between(found, ahead)}." if ahead else "")
    least = min(compared, key=lambda p: p.lead)
    return (
        "Without a scaffold (W = 0) the low-rank path is worse than the adapter at "
        f"{_where(compared, compared)}, by {found.points(least.lead)} at least "
        f"({at_words(least.adapter.at)}): here the scaffold helps."
    )


def _afterwards(found: Gathered) -> str:
    """Say whether trained adapters use their scaffold, and need that very one."""
    said = []
    for arm, missed, spared in (
        ("scaffold_removed", "Taking the scaffold away after training", "does not use it"),
        ("wrong_seed", "Another seed's scaffold in its place", "does not need its own"),
    ):
        compared = pairs(found, arm)
        spare = [p for p in compared if p.level or p.lead <= 0]
        if spare:
            said.append(
                f"{missed} costs nothing, within one standard deviation, at "
                f"{_where(spare, compared)}: the trained adapter {spared} there."
            )
        elif compared:
            leads = sorted(p.lead for p in compared)
            said.append(f"{missed} costs {_between(found, leads)}.")
    if len(said) == 2 and "nothing" not in "".join(said):
        said.append("The trained adapters use their very scaffold.")
    return " ".join(said)


def _bytes(found: Gathered) -> str:
    """Say where a dense network of the same bytes is better."""
    compared = pairs(found, "equal_bytes")
    if not compared:
        return ""
    beaten = [p for p in compared if p.lead < 0 and not p.level]
    level = [p for p in compared if p.level]
    said = []
    if beaten:
        worst = min(compared, key=lambda p: p.lead)
        said.append(
            f"A dense network of the same stored bytes beats the adapter at "
            f"{_where(beaten, compared)}, by up to {found.points(-worst.lead)} "
            f"({at_words(worst.adapter.at)}): where only the size of a file counts, it is the "
            "better choice there."
        )
    if level:
        also = "It" if beaten else "A dense network of the same stored bytes"
        said.append(
            f"{also} is as good as the adapter, within one standard deviation, at "
            f"{_where(level, compared)}."
        )
    if not said:
        least = min(compared, key=lambda p: p.lead)
        said.append(
            "The adapter is better than a dense network of the same stored bytes at "
            f"{_where(compared, compared)}, by {found.points(least.lead)} at least "
            f"({at_words(least.adapter.at)})."
        )
    return " ".join(said)


def _references(found: Gathered) -> str:
    """Say which cheap references are as good as which adapters."""
    said = []
    for arm in ("linear", "random_features", "echo_state"):
        compared = pairs(found, arm)
        if not compared:
            continue
        mean = fmean(row.mean or 0.0 for row in found.scored(arm))
        reached = [p for p in compared if p.level or p.lead <= 0]
        words = "below every adapter"
        if reached:
            words = f"as good as the adapter or better at {_where(reached, compared)}"
        said.append(f"{found.name(arm)} {found.score(mean)} ({words})")
    joined = "; ".join(said)
    return f"{joined[0].upper()}{joined[1:]}." if said else ""


def _families(found: Gathered) -> str:
    """Say what the choice of family is worth, beside what the choice of seed is."""
    table = family_table(found)
    if table is None:
        return ""
    said = []
    for i, (rank, spread) in enumerate(zip(table.columns, table.spreads(), strict=True)):
        if spread is not None:
            scores = {f: cells[i] for f, cells in table.rows if cells[i] is not None}
            best, worst = (pick(scores, key=lambda f: scores[f] or 0.0) for pick in (max, min))
            at = "" if rank is None else f" at rank {shown(rank)}"
            ends = f" ({worst} to {best})" if spread else ""
            said.append(f"{found.points(spread)}{at}{ends}")
    if not said:
        return ""
    words = f"Between families scores differ by {', '.join(said)}."
    seeds = [row.spread for row in found.scored("adapter") if row.runs > 1]
    if seeds:
        typical = median(spread or 0.0 for spread in seeds)
        words += f" Over seeds of one family the standard deviation is {found.points(typical)}."
    return words


def _schedules(found: Gathered) -> str:
    """Say what drawing the scaffold anew while training costs."""
    if "resample" not in found.others:
        return ""
    groups: dict[str, list[float]] = {}
    for record in found.trained_adapters():
        ends = [abs(beta) for beta in record["betas"].values()]
        if ends:
            schedule = shown(frozen(record["at"]["resample"]))
            groups.setdefault(schedule, []).append(median(ends))
    means: dict[str, list[float]] = {}
    for row in found.scored("adapter"):
        means.setdefault(shown(value(row, "resample")), []).append(row.mean or 0.0)
    said = [
        f"{name}, {found.score(fmean(scores))}"
        + (f" and a median |beta| of {median(groups[name]):.2g}" if name in groups else "")
        for name, scores in means.items()
    ]
    return f"By schedule, over all else the mean: {'; '.join(said)}."


def _seeds(found: Gathered) -> str:
    """Say what too few seeds leave open."""
    n = len(found.folder.sweep.seeds)
    if n >= 3 or not found.scored("adapter"):
        return ""
    return (
        f"{'One seed' if n == 1 else 'Two seeds'} a point: small differences may be chance; "
        "a comparison wants three seeds at least."
    )


def _where(some: Sequence[Pair], of: Sequence[Pair]) -> str:
    """Return at which points of the grid, as short as it can be told."""
    ranks, all_ranks = _ranks_by_rest(some), _ranks_by_rest(of)
    if len(some) == len(of) > 1:
        return "every rank" if list(all_ranks) == [()] else "every point of the grid"
    if len(ranks) == len(all_ranks) and len(set(map(tuple, ranks.values()))) == 1:
        words = f"rank {_listed(map(shown, next(iter(ranks.values()))))}"
        return words if len(ranks) == 1 else f"{words} throughout"
    whole = all(all_ranks[rest] == found and len(found) > 1 for rest, found in ranks.items())
    if whole and len(ranks) < 4:
        return f"every rank of {_listed(map(at_words, ranks))}"
    if len(some) < 4:
        return _listed(at_words(p.adapter.at) for p in some)
    return f"{len(some)} of {len(of)} points of the grid"


def _ranks_by_rest(of: Iterable[Pair]) -> dict[Point, list[Any]]:
    """Return ranks by all else of a point."""
    found: dict[Point, list[Any]] = {}
    for p in of:
        found.setdefault(_rest(p), []).append(value(p.adapter, "rank"))
    return found


def _rest(p: Pair) -> Point:
    return tuple(pair for pair in p.adapter.at if pair[0] != "rank")


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    comma = ";" if any("," in each for each in (*most, last)) else ","
    joined = f"{comma} ".join(most)
    return f"{joined}{comma if comma == ';' else ''} and {last}" if most else last


def _between(found: Gathered, leads: Sequence[float]) -> str:
    low, high = leads[0], leads[-1]
    if found.number(low) == found.number(high):
        return found.points(low)
    return f"{found.number(low)} to {found.points(high)}"
