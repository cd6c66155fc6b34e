"""The texts of a report: the facts of a sweep, its status, and the purpose of the arms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ..experiments.comparisons.arms import AFTERWARDS
from .data import Gathered
from .html import join, tag
from .summary import at_words, point_of, shown

#: The purpose of each arm.
ANSWERS = {
    "adapter": "The method under test. Each layer has frozen weights that follow from a seed; a "
    "low-rank path and beta, the weight of the frozen part, are trained.",
    "full": "The same network with every weight trained: the reference for the adapters.",
    "equal_bytes": "Is the space well used? A dense network with one hidden layer, as wide as the "
    "adapter's stored size allows. A small network that is fully trained can be better than a "
    "large network with adapters.",
    "no_scaffold": "Does the scaffold help at all? The low-rank path is trained on frozen weights "
    "of zero. If it is as good as the adapter, the task does not show that a scaffold helps.",
    "scaffold_removed": "Does the trained adapter use its scaffold? Every beta is set to zero "
    "after training. A nonzero beta does not prove that the scaffold is used; a lower score here "
    "does.",
    "wrong_seed": "Does the trained adapter need its own scaffold? It is scored on the frozen "
    "weights of another seed.",
    "random_features": "Are frozen weights enough? One random layer with a ridge readout.",
    "echo_state": "Is a classic reservoir as good? An echo-state network reads each image row by "
    "row.",
    "linear": "Does the task need a network? A linear model of the features: of series, six "
    "statistics of each channel; of molecules, counts of atoms; of texts, TF-IDF of words.",
    "label_propagation": "Is the graph alone enough? Labels spread over its edges; features are "
    "not read, and nothing is trained.",
    "trigram": "Does the task need a network? Counts of one, two and three tokens, interpolated.",
    "behaviour_cloning": "Does the task need a network? A linear function from the observation and "
    "the return-to-go of a step to its action.",
    "fingerprints": "Are fixed features of molecules enough? Logistic regression on 2,048 bits of "
    "Morgan fingerprints.",
}

#: Notes that apply to all scores.
NOTES = (
    "Scores are computed on held-out rows, which are not used for training. With more than one "
    "seed, they are mean ± standard deviation over seeds.",
    "Trained parameters include the output layer. Stored bytes are the trained parameters in 32 "
    "bits, plus 8 bytes for the seed if there are frozen weights.",
    "The best of many grid points is selected on the rows that it is scored on, so its score is "
    "optimistic. Results that hold at every grid point, or on average, are more reliable.",
    "Seconds are training times on the machine named above, with one thread per run. Adapters "
    "that were trained side by side share the time equally.",
)

_VALUES = 8  # maximum number of values of a parameter that the header lists


def answers(gathered: Gathered) -> Iterator[tuple[str, str]]:
    """Yield the name and the purpose of each arm that the sweep has."""
    own = {run.arm for run in gathered.runs} | set(AFTERWARDS)
    for arm, words in ANSWERS.items():
        if arm in own:
            yield gathered.name(arm), words


def run_facts(gathered: Gathered) -> Iterator[tuple[str, str]]:
    """Yield terms and descriptions of what was run."""
    sweep = gathered.folder.sweep
    data = sweep.dataset if sweep.target is None else Path(sweep.dataset).name
    yield "Data set", data if sweep.target is None else f"{data}, target {sweep.target}"
    for name, values in sweep.grid:
        yield f"Grid: {name}", _values(values)
    seeds = _values(sweep.seeds)
    yield "Seeds", seeds if len(sweep.seeds) > _VALUES else f"{len(sweep.seeds)}: {seeds}"
    done = sum("error" not in record for record in gathered.records)
    yield "Runs", f"{done:,} of {len(gathered.runs):,}"
    seconds = sum(record.get("seconds", 0.0) for record in gathered.records)
    yield "Training time", f"{duration(seconds)} in total"
    yield "Started", date_words(gathered.folder.began["date"])


def setup_facts(gathered: Gathered) -> Iterator[tuple[str, str]]:
    """Yield terms and descriptions of how the sweep was run."""
    sweep, began = gathered.folder.sweep, gathered.folder.began
    yield "Machine", _machine(began["machine"])
    for i, versions in enumerate(gathered.folder.versions):
        words = ", ".join(f"{name} {number}" for name, number in versions.items())
        yield "Later versions" if i else "Versions", words
    varied = {name for name, _ in sweep.grid}
    yield (
        "Protocol",
        "; ".join(
            f"{name} {shown(value)}"
            for name, value in sweep.protocol.to_plain().items()
            if name not in varied and value is not None
        ),
    )


def status_notes(gathered: Gathered) -> Iterator[str]:
    """Yield notes on runs that have not ended yet, and on failed runs."""
    failed, total = len(failures(gathered)), len(gathered.runs)
    ended = len(gathered.records)
    if ended < total:
        yield (
            f"Incomplete: {ended:,} of {total:,} runs have ended, and this report covers only "
            "those. Run the same command again to continue the sweep."
        )
    if failed:
        runs = "run" if failed == 1 else "runs"
        yield join([f"{failed:,} {runs} failed: see ", tag("a", "the errors", href="#failed"), "."])


def failures(gathered: Gathered) -> list[dict[str, Any]]:
    """Return the records of failed runs."""
    return [record for record in gathered.records if "error" in record]


def left_out(gathered: Gathered) -> list[str]:
    """Return notes on arms that were left out, without duplicates."""
    notes: dict[str, None] = {}
    for record in gathered.records:
        if "left_out" in record:
            name = gathered.name(record["arm"])
            notes[f"{name}: left out because {record['left_out']}."] = None
    return list(notes)


def place(gathered: Gathered, record: dict[str, Any]) -> str:
    """Return the grid point of a record as text."""
    return at_words(point_of(gathered.folder.sweep, record["at"]))


def duration(seconds: float) -> str:
    """Return a duration as text.

    Examples
    --------
    >>> duration(7.4), duration(190), duration(8000)
    ('7 seconds', '3 minutes', '2.2 hours')
    """
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.{1 if unit == 3600 else 0}f} {name}"
    return f"{seconds:.0f} seconds"


def date_words(date: str) -> str:
    """Return an ISO 8601 date as text.

    Examples
    --------
    >>> date_words("2026-11-05T09:25:48+00:00")
    '5 November 2026, 09:25 UTC'
    """
    time = datetime.fromisoformat(date)
    return f"{time.day} {time:%B %Y, %H:%M} {time.tzname()}"


def _values(values: tuple[Any, ...]) -> str:
    words = [shown(value).replace(" ", "\N{NO-BREAK SPACE}") for value in values]
    if len(words) <= _VALUES:
        return ", ".join(words)
    return f"{len(words)}: {', '.join(words[:3])}, …"


def _machine(machine: dict[str, Any]) -> str:
    blas = "; ".join(machine["blas"])
    return f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; {blas}"
