"""The benchmarks are not part of the package; they are found from the root of the repository."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def imported(name: str) -> ModuleType:
    """Return a module of the benchmarks; skip the tests where they are not there."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    module: ModuleType = pytest.importorskip(f"benchmarks.{name}")
    return module
