"""The paper's ablations as sweeps, declared in benchmarks/sweeps."""

from __future__ import annotations

from pathlib import Path

from deepreservoir.experiments.comparisons.report import label, markdown
from deepreservoir.reports import beside_table, control_table, paired_table, summary_table
from deepreservoir.reports.paired import LEVEL
from deepreservoir.reports.summary import at_words, score_name, summary
from deepreservoir.sweeps import Folder, run_sweep

_FOLDER = Path(__file__).parent / "sweeps"
# Largest grid whose differences are printed with all tables.
_MOST_POINTS = 12
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def run(name: str, out: Path, workers: int, verbose: bool, device: str = "cpu") -> str:
    """Run a declared sweep, or its remaining runs, and return its tables as Markdown.

    Records are written to the folder `name` in `out`.
    """
    folder = run_sweep(
        _FOLDER / f"{name}.toml", out / name, workers=workers, device=device, verbose=verbose
    )
    return f"{summary_table(folder)}\n\n{paired_table(folder)}\n\n{beside_table(folder)}"


def tables(out: Path) -> str:
    """Return the comparison with the paper for every sweep that has been run, with headings.

    Differences from the controls follow, unless the grid is large.
    """
    parts = []
    for name in NAMES:
        if (out / name).is_dir():
            folder = Folder(out / name)
            began, machine = folder.began["date"][:10], folder.began["machine"]
            runs = f"{len(folder.records())} runs on {len(folder.sweep.seeds)} seeds"
            provenance = f"{runs}; {machine['processor']}, {machine['cores']} cores; {began}."
            parts.append(f"### {name}\n\n{beside_table(folder)}. {provenance}")
            if len(list(folder.sweep.points())) <= _MOST_POINTS:
                words = (
                    f"Differences are paired by seed, ± half of the {100 * LEVEL:.0f} % interval."
                )
                parts.append(f"{control_table(folder)}\n\n{words}")
                if any(name == "rank" for name, _ in folder.sweep.grid):
                    parts.append(by_rank(folder))
    return "\n\n".join(parts)


def by_rank(folder: Folder) -> str:
    """Return all scores as a Markdown table: arms below each other, ranks beside each other."""
    ranks = dict(folder.sweep.grid)["rank"]
    digits = 1 if folder.task == "classification" else 4
    scores: dict[str, dict[object, str]] = {}
    for row in summary(folder):
        if row.mean is None or row.spread is None:
            continue
        rank = dict(row.at).get("rank")
        others = at_words(tuple(pair for pair in row.at if pair[0] != "rank"))
        name = label(row.arm, folder.task) + (f", {others}" if others else "")
        spread = f" ± {row.spread:.{digits}f}" if row.runs > 1 else ""
        scores.setdefault(name, {})[rank] = f"{row.mean:.{digits}f}{spread}"
    head = [score_name(folder), *(f"rank {rank}" for rank in ranks), "no rank"]
    rows = [
        [name, *(cells.get(rank, "") for rank in (*ranks, None))] for name, cells in scores.items()
    ]
    return markdown([head, *rows])
