"""``--device`` and ``-m gpu``: what runs where, and what says why it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from deepreservoir.backend import cuda_problem

pytestmark = pytest.mark.host(reason="it starts pytest anew")

TESTS = Path(__file__).parents[1]
QUICK = str(TESTS / "engine" / "test_params.py")
ON_THE_HOST = str(TESTS / "engine" / "test_backend.py")
ELSEWHERE = str(TESTS / "datasets" / "test_csv_series.py")


def summary(*arguments):
    """Return what a pytest of its own says, with its reasons for skipping."""
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=TESTS.parent).stdout


@pytest.mark.slow
def test_the_stand_in_runs_the_same_tests():
    assert "skipped" not in summary("--device", "standin", "-v", QUICK)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (ON_THE_HOST, "devices are faked here"),
        pytest.param(ELSEWHERE, "it has no part that runs on a device", marks=pytest.mark.slow),
    ],
)
def test_tests_of_the_host_alone_say_why_they_do_not_run(path, reason):
    said = summary("--device", "standin", path)
    assert f"on the host only: {reason}" in said
    assert "passed" not in said


@pytest.mark.slow
@pytest.mark.skipif(cuda_problem() is None, reason="there is a device here")
def test_gpu_tests_are_skipped_with_a_word_where_there_is_no_gpu():
    said = summary("-m", "gpu", QUICK, ON_THE_HOST)
    assert f"no GPU: {cuda_problem()}" in said
    assert "deselected" in said
    assert "passed" not in said


def collected(*arguments):
    """Return the lines of the tests that a pytest of its own would run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"]
    out = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=TESTS.parent)
    return [line for line in out.stdout.splitlines() if "::" in line]


@pytest.mark.slow
def test_device_code_is_left_to_the_stand_in_unless_its_path_is_given():
    kernel = "tests/device/test_row_norms.py"
    of_all = collected("tests")
    assert not [line for line in of_all if line.startswith(kernel)]
    assert [line for line in of_all if line.startswith("tests/device/test_standin.py")]
    assert collected(kernel) == collected("--device", "standin", kernel) != []
    assert [
        line for line in collected("--device", "standin", "tests") if line.startswith(kernel)
    ] == collected(kernel)
