"""What the tests of reports share: sweeps with made-up records, and a strict reader of pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sweep_tools import small

from deepreservoir.reports import save_report
from deepreservoir.reports.data import Gathered, Snapshot
from deepreservoir.sweeps import Folder, Run, Sweep, runs_of
from deepreservoir.sweeps.plain_data import plain

RANKS = (1, 4)
_VOID = ("meta", "link")


def score_of(run: Run) -> float:
    """Return a made-up score: better with rank, other for each arm, a little for each seed."""
    base = {
        "adapter": 0.90,
        "full": 0.96,
        "equal_bytes": 0.85,
        "no_scaffold": 0.80,
        "random_features": 0.75,
        "echo_state": 0.7,
        "linear": 0.65,
    }
    return base[run.arm] + 0.01 * run.value("rank", 0) / 4 + 0.001 * run.seed


def record_of(run: Run, score: float, **more: Any) -> dict[str, Any]:
    """Return a record as workers make them."""
    rank = run.value("rank", 2 if run.arm == "adapter" else 9)
    rank = 8 if rank == "auto" else rank
    record = {
        "run": run.key,
        "arm": run.arm,
        "at": dict(run.point),
        "seed": run.seed,
        "score": score,
        "trained": 1000 * rank,
        "stored_bytes": 4000 * rank + 8,
        "seconds": 2.0,
        "peak_bytes": None,
    }
    if run.arm == "adapter":
        record |= {
            "epochs": 3,
            "betas": {"layers.0": 1.5, "layers.1": 0.9},
            "beta_medians": [1.1, 1.15, 1.2],
            "afterwards": {"scaffold_removed": score - 0.5, "wrong_seed": score - 0.6},
        }
    return plain(record | more)


def failure_of(run: Run, **why: str) -> dict[str, Any]:
    """Return the record of a run without a score: ``error`` or ``left_out``."""
    at = {"run": run.key, "arm": run.arm, "at": dict(run.point), "seed": run.seed}
    return plain(at | why)


def filled(
    path: Path,
    sweep: Sweep,
    make: Callable[[Run], dict[str, Any] | None] | None = None,
    task: str = "classification",
) -> Path:
    """Write a record of each run of a sweep; one that is None is not there yet."""
    make = make or (lambda run: record_of(run, score_of(run)))
    records = [record for run in runs_of(sweep) if (record := make(run)) is not None]
    Folder(path, sweep, task).append(records)
    return path


def ranks(path: Path, score: Callable[[Run], float] = score_of, **more: Any) -> Path:
    """Write a whole sweep of two ranks and three seeds."""
    return filled(path, small(("rank", RANKS), seeds=3), lambda r: record_of(r, score(r)), **more)


def empty(path: Path) -> Path:
    """Write a sweep that has just begun."""
    return filled(path, small(("rank", RANKS)), lambda run: None)


def schedules(path: Path) -> Path:
    """Write a sweep of two schedules."""
    return filled(path, small(("resample", (None, ("step", 2))), ("rank", RANKS), seeds=3))


def families(path: Path) -> Path:
    """Write a sweep of two families."""
    return filled(path, small(("scaffold", ("normal", "binary")), ("rank", RANKS), seeds=2))


def numbers(path: Path) -> Path:
    """Write a sweep of a regression, its scores below zero."""
    return ranks(path, lambda run: score_of(run) - 1.5, task="regression")


def broken(path: Path) -> Path:
    """Write a sweep of which runs failed, were left out, or are not there yet."""

    def make(run: Run) -> dict[str, Any] | None:
        if run.arm == "equal_bytes":
            return failure_of(run, left_out="no dense network fits into 12 bytes")
        if run.value("rank") == 4:
            return None if run.seed == 2 else failure_of(run, error="TrainingDiverged: too fast")
        return record_of(run, score_of(run))

    return filled(path, small(("rank", RANKS), seeds=3), make)


def gathered(path: Path) -> Gathered:
    return Gathered(Snapshot(path))


@dataclass
class Element:
    """An element of a page: its name, attributes, text and children."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str | Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(p if isinstance(p, str) else p.text for p in self.pieces)

    def all(self, name: str = "") -> list[Element]:
        """Return elements of a name below this one, or all, in their order."""
        found = []
        for child in self.children:
            found += [child] if name in ("", child.name) else []
            found += child.all(name)
        return found

    def by_id(self, name: str) -> Element:
        (found,) = [each for each in self.all() if each.attributes.get("id") == name]
        return found


class _Strict(HTMLParser):
    """A parser that takes no end tag that is not that of the innermost element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), (tag, attrs)
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        self.open[-1].pieces.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is no HTML")

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> in <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].pieces.append(data)


def parsed(page: str) -> Element:
    """Return the root of a page, or fail where its elements are not nested."""
    parser = _Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == [parser.root]
    return parser.root


def page_of(folder: Path) -> Element:
    """Write the report of a folder and return its root."""
    return parsed(save_report(folder).read_text(encoding="utf-8"))


def cells(root: Element, name: str) -> list[dict[str, str]]:
    """Return the rows of the table of a name by the heads of its columns, from the left."""
    caption = root.by_id(f"{name}-caption")
    (table,) = [each for each in root.all("table") if caption in each.children]
    heads = [
        each.text.replace("\N{NO-BREAK SPACE}", " ") for each in table.all("thead")[0].all("th")
    ]
    rows = [row.children for row in table.all("tbody")[0].all("tr")]
    assert all(len(row) == len(heads) for row in rows)
    return [
        # A head that comes again is told apart by its place.
        {
            head if head not in heads[:i] else f"{head} {i}": cell.text
            for i, (head, cell) in enumerate(zip(heads, row, strict=True))
        }
        for row in rows
    ]
