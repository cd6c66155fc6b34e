"""Where benchmark results are kept: one JSON file a benchmark, with machine and date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deepreservoir.experiments.results import machine, now, versions, write_atomically

RESULTS = Path(__file__).parent / "results"


def store(name: str, figures: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write `figures` to results/NAME.json and return the path."""
    document = {"benchmark": name, "date": now(), "machine": machine(), "versions": versions()}
    path = folder / f"{name}.json"
    write_atomically(path, json.dumps(document | figures, indent=1) + "\n")
    return path
