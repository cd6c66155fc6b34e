"""Storage of benchmark results: one JSON file per benchmark, with machine and date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from deepreservoir.experiments.comparisons.results import machine, now, write_atomically
from deepreservoir.versions import versions

RESULTS = Path(__file__).parent / "results"


def store(
    name: str, figures: dict[str, Any], folder: Path = RESULTS, packages: Sequence[str] = ()
) -> Path:
    """Write `figures` to NAME.json in `folder` and return the path.

    The file includes the versions of the packages on which all results depend, and of those in
    `packages` that are installed.
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
    installed = {}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
