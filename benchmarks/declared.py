"""The paper's ablations as sweeps: each a declaration in benchmarks/sweeps."""

from __future__ import annotations

from pathlib import Path

from deepreservoir.reports import beside_table, summary_table
from deepreservoir.sweeps import Folder, run_sweep

_FOLDER = Path(__file__).parent / "sweeps"
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def run(name: str, out: Path, workers: int, verbose: bool) -> str:
    """Run a declared sweep, or what is left of it, and return ours beside theirs as tables.

    Records go to the folder of that name in `out`.
    """
    folder = run_sweep(_FOLDER / f"{name}.toml", out / name, workers=workers, verbose=verbose)
    return f"{summary_table(folder)}\n\n{beside_table(folder)}"


def tables(out: Path) -> str:
    """Return ours beside theirs for every sweep that has been run, under a heading each."""
    parts = []
    for name in NAMES:
        if (out / name).is_dir():
            folder = Folder(out / name)
            began, machine = folder.began["date"][:10], folder.began["machine"]
            runs = f"{len(folder.records())} runs on {len(folder.sweep.seeds)} seeds"
            where = f"{runs}; {machine['processor']}, {machine['cores']} cores; {began}."
            parts.append(f"### {name}\n\n{beside_table(folder)}. {where}")
    return "\n\n".join(parts)
