"""What the tests of the command line share: the entry point, in this process and as a program."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from deepreservoir.cli import main


def program() -> list[str]:
    """Return the installed command, or the module where it is not installed."""
    script = shutil.which("deepreservoir", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-m", "deepreservoir"]


def environment(**changes: str) -> dict[str, str]:
    """Return an environment for a program started from another folder."""
    root = Path(__file__).parents[2]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"} | changes


def run(*arguments: object) -> int:
    """Call the entry point as the installed command does; return its exit status.

    What click does not turn into a message goes on from here as the exception it is.
    """
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments], prog_name="deepreservoir")
    return int(caught.value.code or 0)


def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current one, and return it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
