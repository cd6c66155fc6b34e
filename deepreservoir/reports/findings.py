"""The findings of a sweep: sentences that are computed from its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from ..sweeps.plain_data import frozen
from ..sweeps.spec import Point
from .data import Gathered
from .heat import family_table
from .paired import same_budget
from .scores import Scores, value
from .summary import Row, at_words, shown


@dataclass(frozen=True)
class Pair:
    """An adapter and one of its controls."""

    adapter: Row
    control: Row

    @property
    def lead(self) -> float:
        """The score of the adapter minus the score of the control."""
        return (self.adapter.mean or 0.0) - (self.control.mean or 0.0)

    @property
    def level(self) -> bool:
        """Whether the scores differ by at most the larger of their standard deviations."""
        return abs(self.lead) <= max(self.adapter.spread or 0.0, self.control.spread or 0.0)


def pairs(scores: Scores, arm: str) -> list[Pair]:
    """Return each adapter with its control: the one with the same values of its parameters.

    A control that is to have the size of the adapter, and is larger, is left out.
    """
    return [
        Pair(adapter, control)
        for adapter in scores.scored("adapter")
        for control in scores.scored(arm)
        if set(control.at) <= set(adapter.at) and same_budget(arm, vars(adapter), vars(control))
    ]


def conclusions(scores: Scores) -> list[tuple[str, str]]:
    """Return what scores alone show: a topic, and one or more sentences."""
    topics = {
        "Adapters": _cost,
        "No scaffold": _scaffold,
        "Use of the scaffold": _afterwards,
        "Same bytes": _bytes,
        "Simple references": _references,
    }
    return [(topic, words) for topic, find in topics.items() if (words := find(scores))]


def findings(gathered: Gathered) -> list[tuple[str, str]]:
    """Return the findings of a sweep: a topic, and one or more sentences."""
    topics = {"Families": _families, "Resampling": _schedules}
    found = [(topic, words) for topic, find in topics.items() if (words := find(gathered))]
    return [*conclusions(gathered), *found, *seeds(gathered)]


def seeds(scores: Scores) -> list[tuple[str, str]]:
    """Return a warning if there are few seeds, as a finding."""
    words = _seeds(scores)
    return [("Seeds", words)] if words else []


def _cost(scores: Scores) -> str:
    """Compare the adapters of the highest rank with the fully trained network."""
    compared = pairs(scores, "full")
    ranks = [rank for p in compared if isinstance(rank := value(p.adapter, "rank"), int)]
    if len(ranks) < len(compared):  # a rank of "auto" is another one in each layer
        ranks = []
    last = [p for p in compared if not ranks or value(p.adapter, "rank") == max(ranks)]
    if not last:
        return ""
    worst, best = (pick(last, key=lambda p: p.adapter.mean or 0.0) for pick in (min, max))
    at_rank = f" at rank {max(ranks)}" if ranks else ""
    reached = f"The adapter reaches {scores.score(best.adapter.mean or 0.0)}{at_rank},"
    if len(last) > 1:
        ends = (
            f"{scores.score(p.adapter.mean or 0.0)} ({at_words(_rest(p))})" for p in (worst, best)
        )
        reached = f"Adapters{at_rank} score between {' and '.join(ends)}. The best is"
    distance = f"{scores.points(abs(best.lead))} {'below' if best.lead < 0 else 'above'}"
    if scores.number(abs(best.lead)) == scores.number(0.0):
        distance = "level with"
    words = f"{reached} {distance} the fully trained network "
    words += f"({scores.score(best.control.mean or 0.0)})"
    few, all_parameters = best.adapter.trained, best.control.trained
    if few and all_parameters:
        share = f"{100 * few / all_parameters:.1f}\N{NO-BREAK SPACE}%"
        words += f", with {few:,} trained parameters instead of {all_parameters:,} ({share})"
    return f"{words}."


def _scaffold(scores: Scores) -> str:
    """Say where the low-rank path alone is as good."""
    compared, n = pairs(scores, "no_scaffold"), _adapters(scores)
    if not compared:
        return ""
    matched = [p for p in compared if p.level or p.lead <= 0]
    if matched:
        words = (
            "Without a scaffold (W = 0), the low-rank path alone is at most one standard deviation "
            f"below the adapter, or above it, at {where(matched, compared, n)}. There, this task "
            "does not show that the scaffold helps."
        )
        ahead = sorted(p.lead for p in compared if p not in matched)
        if ahead:
            words += f" Elsewhere, the scaffold is worth {_between(scores, ahead)}."
        return words
    least = min(compared, key=lambda p: p.lead)
    return (
        "Without a scaffold (W = 0), the low-rank path alone is worse than the adapter at "
        f"{where(compared, compared, n)}, by at least {scores.points(least.lead)} "
        f"({at_words(least.adapter.at)}): the scaffold helps on this task."
    )


def _afterwards(scores: Scores) -> str:
    """Say whether trained adapters use their scaffold, and whether another one would do."""
    sentences = []
    for arm, change, consequence in (
        ("scaffold_removed", "Removing the scaffold after training", "does not use its scaffold"),
        (
            "wrong_seed",
            "Replacing it with another seed's scaffold",
            "does not need its own scaffold",
        ),
    ):
        compared = pairs(scores, arm)
        unaffected = [p for p in compared if p.level or p.lead <= 0]
        if unaffected:
            sentences.append(
                f"{change} costs at most one standard deviation at "
                f"{where(unaffected, compared)}: there, the trained adapter {consequence}."
            )
        elif compared:
            leads = sorted(p.lead for p in compared)
            sentences.append(f"{change} costs {_between(scores, leads)}.")
    if len(sentences) == 2 and "there, the trained adapter" not in "".join(sentences):
        sentences.append("The trained adapters need the scaffold that they were trained on.")
    return " ".join(sentences)


def _bytes(scores: Scores) -> str:
    """Say where a dense network of the same stored size is better."""
    compared, n = pairs(scores, "equal_bytes"), _adapters(scores)
    if not compared:
        return ""
    behind = [p for p in compared if p.lead < 0 and not p.level]
    level = [p for p in compared if p.level]
    sentences = []
    if behind:
        worst = min(compared, key=lambda p: p.lead)
        sentences.append(
            f"A dense network of the same stored size is better than the adapter at "
            f"{where(behind, compared, n)}, by up to {scores.points(-worst.lead)} "
            f"({at_words(worst.adapter.at)}). If only the file size matters, it is the better "
            "choice there."
        )
    if level:
        network = "It" if behind else "A dense network of the same stored size"
        sentences.append(
            f"{network} is as good as the adapter, within one standard deviation, at "
            f"{where(level, compared, n)}."
        )
    ahead = sorted((p for p in compared if p.lead > 0 and not p.level), key=lambda p: p.lead)
    if ahead and sentences:
        leads = [p.lead for p in ahead]
        sentences.append(
            f"The adapter is better at {where(ahead, compared, n)}, by {_between(scores, leads)}."
        )
    if not sentences:
        least = min(compared, key=lambda p: p.lead)
        sentences.append(
            "The adapter is better than a dense network of the same stored size at "
            f"{where(compared, compared, n)}, by at least {scores.points(least.lead)} "
            f"({at_words(least.adapter.at)})."
        )
    return " ".join(sentences)


def _references(scores: Scores) -> str:
    """Say which simple references are as good as which adapters."""
    parts = []
    references = ("linear", "label_propagation", "fingerprints", "trigram", "behaviour_cloning")
    for arm in (*references, "random_features", "echo_state"):
        compared = pairs(scores, arm)
        if not compared:
            continue
        mean = fmean(row.mean or 0.0 for row in scores.scored(arm))
        matched = [p for p in compared if p.level or p.lead <= 0]
        words = "below all adapters"
        if matched:
            words = f"as good as the adapter, or better, at {where(matched, compared)}"
        parts.append(f"{scores.name(arm)}: {scores.score(mean)} ({words})")
    joined = "; ".join(parts)
    return f"{joined[0].upper()}{joined[1:]}." if parts else ""


def _families(gathered: Gathered) -> str:
    """Compare the effect of the family with the effect of the seed."""
    table = family_table(gathered)
    if table is None:
        return ""
    parts = []
    for i, (rank, spread) in enumerate(zip(table.columns, table.spreads(), strict=True)):
        if spread is not None:
            scores = {f: cells[i] for f, cells in table.rows if cells[i] is not None}
            best, worst = (pick(scores, key=lambda f: scores[f] or 0.0) for pick in (max, min))
            at = "" if rank is None else f" at rank {shown(rank)}"
            names = f" ({best} and {worst})" if spread else ""
            parts.append(f"{gathered.points(spread)}{at}{names}")
    if not parts:
        return ""
    words = f"The scores of the best and the worst family differ by {', '.join(parts)}."
    spreads = [row.spread for row in gathered.scored("adapter") if row.runs > 1]
    if spreads:
        typical = gathered.points(median(spread or 0.0 for spread in spreads))
        words += f" The typical standard deviation over the seeds of one family is {typical}."
    return words


def _schedules(gathered: Gathered) -> str:
    """Compare the schedules by which the scaffold is redrawn during training."""
    if "resample" not in gathered.others:
        return ""
    groups: dict[str, list[float]] = {}
    for record in gathered.trained_adapters():
        ends = [abs(beta) for beta in record["betas"].values()]
        if ends:
            schedule = shown(frozen(record["at"]["resample"]))
            groups.setdefault(schedule, []).append(median(ends))
    means: dict[str, list[float]] = {}
    for row in gathered.scored("adapter"):
        means.setdefault(shown(value(row, "resample")), []).append(row.mean or 0.0)
    parts = [
        f"{gathered.score(fmean(scores))} for {name}"
        + (f" (median |beta| {median(groups[name]):.2g})" if name in groups else "")
        for name, scores in means.items()
    ]
    return f"Mean scores by schedule: {'; '.join(parts)}."


def _seeds(scores: Scores) -> str:
    """Warn if there are fewer than three seeds."""
    n = scores.n_seeds
    if n >= 3 or not scores.scored("adapter"):
        return ""
    return (
        f"{'One seed' if n == 1 else 'Two seeds'} per grid point: small differences may be due to "
        "chance. Use at least three seeds for a comparison."
    )


def _adapters(scores: Scores) -> int:
    """Return the number of grid points at which an adapter was run."""
    return len(scores.scored("adapter"))


def where(some: Sequence[Pair], of: Sequence[Pair], adapters: int = 0) -> str:
    """Return the grid points of `some`, in as few words as possible.

    Parameters
    ----------
    some, of : sequence of Pair
        Those that are named, and those that there are.
    adapters : int
        Number of grid points of adapters, some of which may have no such pair.
    """
    ranks, all_ranks = _ranks_by_rest(some), _ranks_by_rest(of)
    if len(some) == len(of) > 1 and adapters > len(of):
        return f"each of the {len(of)} grid points, out of {adapters}, that have this control"
    if len(some) == len(of) > 1:
        return "every rank" if list(all_ranks) == [()] else "every grid point"
    if len(ranks) == len(all_ranks) and len(set(map(tuple, ranks.values()))) == 1:
        values = next(iter(ranks.values()))
        words = f"rank{'s' if len(values) > 1 else ''} {listed(map(shown, values))}"
        return words if len(ranks) == 1 else f"{words} for all settings"
    whole = all(all_ranks[rest] == part and len(part) > 1 for rest, part in ranks.items())
    if whole and len(ranks) < 4:
        return f"every rank with {listed(map(at_words, ranks))}"
    if len(some) < 4:
        return listed(at_words(p.adapter.at) for p in some)
    return f"{len(some)} of {len(of)} grid points"


def _ranks_by_rest(of: Iterable[Pair]) -> dict[Point, list[Any]]:
    """Return the ranks of pairs, by the values of their other parameters."""
    groups: dict[Point, list[Any]] = {}
    for p in of:
        groups.setdefault(_rest(p), []).append(value(p.adapter, "rank"))
    return groups


def _rest(p: Pair) -> Point:
    return tuple(pair for pair in p.adapter.at if pair[0] != "rank")


def listed(words: Iterable[str]) -> str:
    *most, last = words
    comma = ";" if any("," in each for each in (*most, last)) else ","
    joined = f"{comma} ".join(most)
    return f"{joined}{comma if comma == ';' else ''} and {last}" if most else last


def _between(scores: Scores, leads: Sequence[float]) -> str:
    low, high = leads[0], leads[-1]
    if scores.number(low) == scores.number(high):
        return scores.points(low)
    return f"{scores.number(low)} to {scores.points(high)}"
