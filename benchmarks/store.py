"""Where benchmark results are kept: one JSON file a benchmark, with machine and date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from deepreservoir.experiments.comparisons.results import machine, now, versions, write_atomically

RESULTS = Path(__file__).parent / "results"


def store(
    name: str, figures: dict[str, Any], folder: Path = RESULTS, packages: Sequence[str] = ()
) -> Path:
    """Write `figures` to results/NAME.json and return the path.

    Versions are those that all results depend on, and of `packages` those that are installed.
    """
    document = {
        "benchmark": name,
        "date": now(),
        "machine": machine(),
        "versions": versions() | _installed(packages),
    }
    path = folder / f"{name}.json"
    write_atomically(path, json.dumps(document | figures, indent=1) + "\n")
    return path


def _installed(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
