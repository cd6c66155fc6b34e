"""Differences between trained adapters and their controls, paired by seed, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student

from ..experiments import ALL_ARMS
from ..experiments.comparisons.arms import WITHOUT_SEED
from ..experiments.comparisons.report import label, markdown
from ..sweeps.spec import Point
from ..sweeps.store import Folder
from .summary import at_words, point_of

#: Probability that an interval holds the mean difference, if differences are normal.
LEVEL = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """The score of an adapter minus that of a control, over seeds that have both.

    Attributes
    ----------
    at : tuple of (str, object)
        Values of the grid, in its order.
    arm : str
        The control.
    seeds : int
        Number of pairs.
    mean : float
        In the unit of the scores: between 0 and 1 for accuracies.
    half_width : float or None
        Half of the 95 % interval of the mean, by Student's t; None for a single pair.
    """

    at: Point
    arm: str
    seeds: int
    mean: float
    half_width: float | None


def paired_differences(folder: Folder) -> list[PairedDifference]:
    """Return the differences of all adapters from each of their controls.

    A control without a seed of its own, such as a linear model, is paired with every seed.

    Parameters
    ----------
    folder : Folder
        The records of a sweep.

    Returns
    -------
    list of PairedDifference
        One element for each grid point of the adapters and each control that has a run with the
        same seed, and is not larger if it is one of the same size, in the order of the records and
        of ``deepreservoir.experiments.ALL_ARMS``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> grid, arms = (("rank", (1, 2)),), ("adapter", "no_scaffold")
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0, 1), quick, grid, arms=arms)
    >>> with TemporaryDirectory() as out:
    ...     folder = run_sweep(sweep, out)
    ...     found = paired_differences(folder)
    >>> [(each.at, each.arm, each.seeds) for each in found[:2]]
    [((('rank', 1),), 'no_scaffold', 2), ((('rank', 1),), 'scaffold_removed', 2)]
    """
    records = [record for record in folder.records() if "score" in record]
    adapters: dict[Point, list[dict[str, Any]]] = {}
    for record in records:
        if record["arm"] == "adapter":
            adapters.setdefault(point_of(folder.sweep, record["at"]), []).append(record)
    controls = [record for record in records if record["arm"] != "adapter"]
    found = []
    for at, runs in adapters.items():
        for arm in ALL_ARMS[1:]:
            own = [record for record in controls if record["arm"] == arm]
            pairs = [list(_differences(run, arm, own)) for run in runs]
            values = [value for pair in pairs for value in pair]
            if values:
                found.append(PairedDifference(at, arm, len(values), fmean(values), _half(values)))
    return found


def _differences(run: dict[str, Any], arm: str, controls: list[dict[str, Any]]) -> Iterator[float]:
    """Yield the difference of an adapter's run from the run of a control, if there is one."""
    if arm in run.get("afterwards", {}):
        yield run["score"] - run["afterwards"][arm]
        return
    seeds = {control["seed"] for control in controls}
    for control in controls:
        same_seed = control["seed"] == run["seed"] or (arm in WITHOUT_SEED and len(seeds) == 1)
        if not same_budget(arm, run, control):
            continue
        if same_seed and control["at"].items() <= run["at"].items():
            yield run["score"] - control["score"]
            return


def same_budget(arm: str, adapter: Mapping[str, Any], control: Mapping[str, Any]) -> bool:
    """Return whether a control has no more parameters, or bytes, than the adapter it is beside.

    Parameters of the grid that change the size of an adapter, such as its head, do not change its
    controls.

    Parameters
    ----------
    arm : str
        The control.
    adapter, control : mapping
        With ``trained`` and ``stored_bytes``.
    """
    size = {"equal_bytes": "stored_bytes", "no_scaffold": "trained"}.get(arm)
    return size is None or bool(control[size] <= adapter[size])


def _half(values: list[float]) -> float | None:
    n = len(values)
    if n < 2:
        return None
    return float(student.ppf((1 + LEVEL) / 2, n - 1)) * stdev(values) / sqrt(n)


def paired_table(folder: Folder) -> str:
    """Return the paired differences as a Markdown table, in points for scores in percent.

    Parameters
    ----------
    folder : Folder
        The folder of a sweep, which may still be running.

    Returns
    -------
    str
        One line for each grid point and control, without a line break at the end. The interval is
        empty for a single pair.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> grid, arms = (("rank", (1, 2)),), ("adapter", "no_scaffold")
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0, 1), quick, grid, arms=arms)
    >>> with TemporaryDirectory() as out:
    ...     folder = run_sweep(sweep, out)
    ...     text = paired_table(folder)
    >>> for line in text.splitlines()[:5]:
    ...     print(line[:52])
    | adapter at | minus                       | seeds |
    | ---------- | --------------------------- | ----: |
    | rank 1     | no scaffold (W = 0)         |     2 |
    | rank 1     | scaffold removed afterwards |     2 |
    | rank 1     | wrong seed                  |     2 |
    """
    unit, digits = (100, 2) if folder.task == "classification" else (1, 4)
    rows = [["adapter at", "minus", "seeds", "difference", "95 % interval"]]
    for each in paired_differences(folder):
        mean, half = unit * each.mean, each.half_width
        interval = ""
        if half is not None:
            interval = f"{mean - unit * half:+.{digits}f} to {mean + unit * half:+.{digits}f}"
        name = label(each.arm, folder.task)
        rows.append([at_words(each.at), name, str(each.seeds), f"{mean:+.{digits}f}", interval])
    return markdown(rows, n_words=2)


def control_table(folder: Folder) -> str:
    """Return the paired differences as a Markdown table with a column per control.

    A cell is the mean difference and half of its 95 % interval, in points for scores in percent.

    Parameters
    ----------
    folder : Folder
        The folder of a sweep, which may still be running.

    Returns
    -------
    str
        One line for each grid point, without a line break at the end.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> grid, arms = (("rank", (1, 2)),), ("adapter", "no_scaffold")
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0, 1), quick, grid, arms=arms)
    >>> with TemporaryDirectory() as out:
    ...     folder = run_sweep(sweep, out)
    ...     text = control_table(folder)
    >>> print(text.splitlines()[0][:73])
    | adapter at, minus | no scaffold (W = 0) | scaffold removed afterwards |
    """
    unit, digits = (100, 2) if folder.task == "classification" else (1, 4)
    found = {(each.at, each.arm): each for each in paired_differences(folder)}
    arms = [arm for arm in ALL_ARMS if any(arm == key[1] for key in found)]
    rows = [["adapter at, minus", *(label(arm, folder.task) for arm in arms)]]
    for at in dict.fromkeys(at for at, _ in found):
        cells = []
        for arm in arms:
            each = found.get((at, arm))
            mean = "" if each is None else f"{unit * each.mean:+.{digits}f}"
            half = None if each is None else each.half_width
            cells.append(mean if half is None else f"{mean} ± {unit * half:.{digits}f}")
        rows.append([at_words(at), *cells])
    return markdown(rows)
