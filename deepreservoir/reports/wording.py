"""The words of a report: what a sweep is, how far it has come, and what its controls are for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ..sweeps.plain_data import frozen
from .data import Gathered
from .html import join, tag
from .summary import at_words, shown

#: What each arm of a sweep is for.
ANSWERS = {
    "adapter": "In each layer a low-rank path and a weight beta, trained beside frozen weights "
    "that follow from a seed.",
    "full": "The same network, every weight trained: what the adapters are measured by.",
    "equal_bytes": "Is the space well used? One hidden layer, as wide as the adapter's file has "
    "room for. A small network that is trained whole can beat a large one that is adapted.",
    "no_scaffold": "Does the scaffold help at all? The low-rank path alone, on weights of zero. "
    "Where it is as good, the task does not show that a scaffold helps.",
    "scaffold_removed": "Does the trained adapter use its scaffold? Every beta is set to zero "
    "after training. A beta above zero is no proof of use; what is lost here is.",
    "wrong_seed": "Does it need that very scaffold? The trained adapter on the weights of another "
    "seed.",
    "random_features": "Do frozen weights do it alone? One random layer and a ridge readout.",
    "echo_state": "Does a classic reservoir do as well? It reads an image row by row.",
    "linear": "Does the task need a network?",
}

#: What holds for every figure.
NOTES = (
    "Scores are of held-out rows, which no training has seen: mean ± standard deviation over "
    "seeds, where there is more than one.",
    "Trained numbers and stored bytes are of all that a file must hold, the output layer among it: "
    "trained numbers in 32 bits, and 8 bytes of seed where weights follow from one.",
    "The best of many points of a grid is picked by the rows that it is scored on, and so "
    "flattered. What holds at every point, or in the mean, is safer.",
    "Seconds are of training on the machine named above, one thread a run; adapters that were "
    "trained side by side share them.",
)

_VALUES = 8  # of a parameter that the head names


def what(found: Gathered) -> Iterator[tuple[str, str]]:
    """Yield what was run, a term and its words at a time."""
    sweep = found.folder.sweep
    data = sweep.dataset if sweep.target is None else Path(sweep.dataset).name
    yield "Data set", data if sweep.target is None else f"{data}, target {sweep.target}"
    for name, values in sweep.grid:
        yield f"Grid: {name}", _values(values)
    seeds = _values(sweep.seeds)
    yield "Seeds", seeds if len(sweep.seeds) > _VALUES else f"{len(sweep.seeds)}: {seeds}"
    done = sum("error" not in record for record in found.records)
    yield "Runs", f"{done:,} of {len(found.runs):,}"
    seconds = sum(record.get("seconds", 0.0) for record in found.records)
    yield "Training", f"{duration(seconds)}, all runs together"
    yield "Begun", moment(found.folder.began["date"])


def how(found: Gathered) -> Iterator[tuple[str, str]]:
    """Yield how it was run, a term and its words at a time."""
    sweep, began = found.folder.sweep, found.folder.began
    yield "Machine", _machine(began["machine"])
    yield "Versions", ", ".join(f"{name} {number}" for name, number in began["versions"].items())
    varied = {name for name, _ in sweep.grid}
    yield (
        "Protocol",
        "; ".join(
            f"{name} {shown(value)}"
            for name, value in sweep.protocol.to_plain().items()
            if name not in varied and value is not None
        ),
    )


def state(found: Gathered) -> Iterator[str]:
    """Yield what is missing: runs that are not there yet, and runs that failed."""
    failed, total = len(failures(found)), len(found.runs)
    there = len(found.records)
    if there < total:
        yield (
            f"Not finished: {there:,} of {total:,} runs are there, and all figures are of those. "
            "The same command goes on with the sweep."
        )
    if failed:
        were = "run has" if failed == 1 else "runs have"
        yield join(
            [f"{failed:,} {were} failed: ", tag("a", "what was raised", href="#failed"), "."]
        )


def failures(found: Gathered) -> list[dict[str, Any]]:
    """Return the records of runs that failed."""
    return [record for record in found.records if "error" in record]


def left_out(found: Gathered) -> list[str]:
    """Return which arms have no run at a point, and why, each reason once."""
    notes: dict[str, None] = {}
    for record in found.records:
        if "left_out" in record:
            notes[f"{found.name(record['arm'])}: left out, {record['left_out']}."] = None
    return list(notes)


def place(found: Gathered, record: dict[str, Any]) -> str:
    """Return at which point of the grid a record is."""
    at, names = record["at"], [name for name, _ in found.folder.sweep.grid]
    return at_words(tuple((name, frozen(at[name])) for name in names if name in at))


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(7.4), duration(190), duration(8000)
    ('7 seconds', '3 minutes', '2.2 hours')
    """
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.{1 if unit == 3600 else 0}f} {name}"
    return f"{seconds:.0f} seconds"


def moment(date: str) -> str:
    """Return a date of a results file for a reader.

    Examples
    --------
    >>> moment("2026-11-05T09:25:48+00:00")
    '5 November 2026, 09:25 UTC'
    """
    when = datetime.fromisoformat(date)
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname()}"


def _values(values: tuple[Any, ...]) -> str:
    words = [shown(value).replace(" ", "\N{NO-BREAK SPACE}") for value in values]
    if len(words) <= _VALUES:
        return ", ".join(words)
    return f"{len(words)}: {', '.join(words[:3])}, …"


def _machine(machine: dict[str, Any]) -> str:
    blas = "; ".join(machine["blas"])
    return f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; {blas}"
