"""The summary of a comparison and its file: right numbers, valid JSON, whole or not at all."""

import json
import os
import stat
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from experiment_tools import QUICK, diabetes
from hypothesis import given
from hypothesis import strategies as st

from deepreservoir.experiments import ARMS, Comparison, Record, compare
from deepreservoir.experiments.comparisons.results import merge_notes, write_atomically

WITHOUT_RANK = ("full", "random_features", "echo_state", "linear")


def record(arm="adapter", rank=1, seed=0, score=0.5, seconds=1.0, peak=100) -> Record:
    return Record(arm, rank, seed, score, 10, 48, seconds, peak)


def comparison(*records: Record, **changes) -> Comparison:
    made = Comparison("made", "classification", QUICK, (1, 2), (0, 1), records, "2026-01-01")
    return replace(made, **changes)


# Summary ---------------------------------------------------------------------


@given(st.lists(st.floats(-10, 1), min_size=1, max_size=8))
def test_mean_and_spread_are_numpys(values):
    (row,) = comparison(*(record(seed=i, score=v) for i, v in enumerate(values))).summary()
    assert row.runs == len(values)
    assert row.mean == pytest.approx(np.mean(values), abs=1e-12)
    spread = np.std(values, ddof=1) if len(values) > 1 else 0
    assert row.spread == pytest.approx(spread, abs=1e-9)


def test_rows_are_grouped_by_arm_and_rank_in_the_order_of_the_tables():
    given = [
        record(arm, rank, seed)
        for seed in (0, 1)
        for arm in reversed(ARMS)
        for rank in ((None,) if arm in WITHOUT_RANK else (8, 1, 2))
    ]
    rows = [(row.arm, row.rank, row.runs) for row in comparison(*given).summary()]
    expected = [
        (arm, rank, 2) for arm in ARMS for rank in ((None,) if arm in WITHOUT_RANK else (1, 2, 8))
    ]
    assert rows == expected


def test_seconds_are_a_mean_and_the_peak_is_the_largest_that_is_known():
    rows = [record(seconds=1.0, peak=None), record(seconds=3.0, peak=70), record(peak=50)]
    (row,) = comparison(*rows).summary()
    assert row.seconds == pytest.approx(5 / 3)
    assert row.peak_bytes == 70
    (row,) = comparison(record(peak=None)).summary()
    assert row.peak_bytes is None


def test_no_records_make_an_empty_summary():
    assert comparison().summary() == []


def test_notes_are_kept_once_in_order():
    assert merge_notes(["b", "a", "b"]) == ("b", "a")


# File ------------------------------------------------------------------------


def refuse_constants(name):
    raise ValueError(f"{name} is not JSON")


def read(path):
    return json.loads(path.read_text(), parse_constant=refuse_constants)


@pytest.fixture(scope="module")
def done():
    return compare(diabetes(), (1, 2), 2, ("adapter", "full", "linear"), protocol=QUICK)


def test_the_file_holds_everything_that_was_found(done, tmp_path):
    path = done.save(tmp_path)
    assert path == tmp_path / "results.json"
    document = read(path)
    assert document["dataset"] == "diabetes"
    assert document["task"] == "regression"
    assert document["complete"] is True
    assert document["ranks"] == [1, 2]
    assert document["seeds"] == [0, 1]
    assert document["notes"] == []
    assert document["records"] == [asdict(record) for record in done.records]
    assert document["summary"] == [asdict(row) for row in done.summary()]
    protocol = QUICK.to_plain()
    assert document["protocol"] == protocol | {"hidden_layer_sizes": [16, 12]}


def test_the_file_says_on_which_machine_with_which_versions_and_when(done, tmp_path):
    document = read(done.save(tmp_path))
    assert set(document["versions"]) >= {"python", "deepreservoir", "numpy", "scikit-learn"}
    assert document["versions"]["numpy"] == np.__version__ == version("numpy")
    machine = document["machine"]
    assert machine["cores"] == os.cpu_count()
    assert machine["system"]
    assert isinstance(machine["processor"], str)
    assert machine["blas"]  # NumPy is loaded, so one at least is there
    assert all("threads" in blas for blas in machine["blas"])
    age = datetime.now(UTC) - datetime.fromisoformat(document["date"])
    assert timedelta(0) <= age < timedelta(hours=1)


def test_an_interrupted_comparison_says_so(tmp_path):
    document = read(comparison(record(), complete=False, notes=("a",)).save(tmp_path))
    assert document["complete"] is False
    assert document["notes"] == ["a"]


def test_a_score_that_is_not_a_number_still_makes_valid_json(tmp_path):
    path = comparison(record(score=float("nan"))).save(tmp_path)
    assert read(path)["records"][0]["score"] is None


# Whole or not at all ---------------------------------------------------------


@pytest.mark.parametrize("content", ["täxt\n", b"\x00\xff", "", b""])
def test_text_and_bytes_are_written_as_they_are(tmp_path, content):
    path = tmp_path / "new" / "folder" / "file"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_text("old, and longer than what comes")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


class _Full:
    """A stream on a full disk: half of what is written gets there."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stream.close()

    def write(self, data):
        self.stream.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")


def full_disk(monkeypatch):
    fdopen = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *args: _Full(fdopen(*args)))
    return OSError


def no_replace(monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "the file is open elsewhere")

    monkeypatch.setattr(os, "replace", refuse)
    return PermissionError


def ctrl_c(monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    return KeyboardInterrupt


@pytest.mark.parametrize("fail", [full_disk, no_replace, ctrl_c])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, fail, old):
    path = tmp_path / "results.json"
    if old is not None:
        path.write_text(old)
    with monkeypatch.context() as patch:
        kind = fail(patch)
        with pytest.raises(kind):
            write_atomically(path, "new content")
    assert [found.name for found in tmp_path.iterdir()] == ([] if old is None else [path.name])
    assert old is None or path.read_text() == old


def test_the_content_is_whole_before_it_takes_the_place(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    seen, replace_file = [], os.replace

    def watch(part, target):
        seen.append((Path(part).read_text(), Path(target).read_text()))
        assert Path(part).parent == tmp_path  # a rename across file systems is no rename
        replace_file(part, target)

    monkeypatch.setattr(os, "replace", watch)
    write_atomically(path, "new")
    assert seen == [("new", "old")]


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_file_has_the_permissions_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", "x")
        assert os.umask(umask) == umask  # and the process keeps its mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
