"""The quick selection names files that exist, in every folder of tests."""

from pathlib import Path

from quick_tests import QUICK

TESTS = Path(__file__).parent


def test_every_file_is_there():
    assert [name for name in sorted(QUICK) if not (TESTS / name).is_file()] == []


def test_every_folder_has_one():
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert {Path(name).parent.name for name in QUICK} - {""} == folders
