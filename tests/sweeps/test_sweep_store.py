"""The folder of a sweep: what survives a kill and a full disk, and what is refused untouched."""

import errno
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from sweep_tools import lasting, small

import deepreservoir
from deepreservoir.sweeps import Folder, Published, run_sweep, runs_of, store
from deepreservoir.sweeps.published import Figure

SWEEP = small(("rank", (1, 2)), seeds=2)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "out", SWEEP)


def record(n, **more):
    return {"run": f"{n:016x}", "arm": "adapter", "at": {"rank": 1}, "seed": n, **more}


def contents(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


# What is kept --------------------------------------------------------------------------


def test_a_folder_tells_what_it_is_of_and_how_it_began(folder):
    again = Folder(folder.path)
    assert again.sweep == SWEEP
    assert again.task == "classification"
    assert set(again.began) == {"date", "machine", "versions"}
    assert again.began == folder.began
    assert again.records() == []


def test_the_last_record_of_a_run_counts(folder):
    folder.append([record(0, error="no memory"), record(1, score=0.5)])
    folder.append([record(0, score=0.25)])
    assert folder.records() == [record(1, score=0.5), record(0, score=0.25)]


def test_scores_come_back_to_the_last_bit(folder):
    scores = [0.1 + 0.2, 1 / 3, 5e-324, -1.7976931348623157e308]
    folder.append(record(n, score=score) for n, score in enumerate(scores))
    assert [found["score"] for found in folder.records()] == scores


def test_what_a_sweep_is_called_and_what_others_published_may_change(folder):
    published = Published("nobody", None, (Figure("full", (), 99.0),))
    again = Folder(folder.path, replace(SWEEP, name="other", published=published))
    assert again.sweep.published == published


def test_a_table_under_another_name_is_the_same_sweep(folder):
    renamed = replace(SWEEP, dataset="/elsewhere/renamed.csv")
    assert Folder(folder.path, renamed).sweep == renamed
    file = folder.path / "sweep.json"
    document = json.loads(file.read_text())
    # As in version 0.1.0, whose digests depended on the name.
    file.write_text(json.dumps(document | {"digest": "0" * 64}))
    assert Folder(folder.path, renamed).sweep == renamed


# Other versions of packages ------------------------------------------------------------


def at_versions(monkeypatch, **numbers):
    found = {"python": "3.12.0", "numpy": "2.4.6", "scipy": "1.16.0"} | numbers
    monkeypatch.setattr(store, "versions", lambda: found)
    return found


def never_asked(assignments):
    assert assignments == []
    yield from ()


def test_a_sweep_that_goes_on_under_other_versions_warns_and_names_all(tmp_path, monkeypatch):
    first = at_versions(monkeypatch, numpy="1.26.4")
    whole = run_sweep(SWEEP, tmp_path)
    lines = (tmp_path / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_bytes(b"".join(lines[:3]))
    second = at_versions(monkeypatch, numba="0.66.0")
    words = (
        "were made with no numba, numpy 1.26.4, and more are made with numba 0.66.0, numpy 2.4.6"
    )
    with pytest.warns(UserWarning, match=words) as caught:
        folder = run_sweep(SWEEP, tmp_path)
    assert len(caught) == 1
    assert lasting(folder.records()) == lasting(whole.records())
    for each in (folder, Folder(tmp_path)):
        assert each.versions == [first, second]
        assert each.began["versions"] == first
    at_versions(monkeypatch, scipy="1.17.0")
    run_sweep(SWEEP, tmp_path, executor=never_asked)  # no record is made, and nothing is mixed
    assert Folder(tmp_path).versions == [first, second]


def test_versions_without_records_or_of_python_alone_are_not_mixed(tmp_path, monkeypatch):
    at_versions(monkeypatch, numpy="1.26.4")
    Folder(tmp_path, SWEEP)
    second = at_versions(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run_sweep(SWEEP, tmp_path)
    assert Folder(tmp_path).versions == [second]
    lines = (tmp_path / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_bytes(b"".join(lines[:3]))
    at_versions(monkeypatch, python="3.13.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert run_sweep(SWEEP, tmp_path).versions == [second]


# What is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        small(("rank", (1, 2, 3)), seeds=2),
        small(("rank", (1, 2)), seeds=3),
        small(("rank", (1, 2)), seeds=2, max_iter=2),
        replace(SWEEP, data_digest="0" * 64),
        replace(SWEEP, target="length"),
        replace(SWEEP, dataset="digits", target=None, data_digest=None),
    ],
    ids=["grid", "seeds", "protocol", "rows", "target", "data set"],
)
def test_a_folder_of_another_sweep_is_refused_untouched(folder, other):
    folder.append([record(0, score=0.5)])
    before = contents(folder.path)
    with pytest.raises(ValueError, match=r"holds the results of another sweep \(small\)") as caught:
        Folder(folder.path, other)
    assert "name another folder" in str(caught.value)
    assert contents(folder.path) == before


@pytest.mark.parametrize("name", ["results.json", "records.jsonl", ".hidden"])
def test_a_folder_of_other_files_is_refused_untouched(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match="contains files that are not results of a sweep"):
        Folder(tmp_path, SWEEP)
    assert contents(tmp_path) == {name: b"mine"}


def test_a_folder_without_a_sweep_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"is not the folder of a sweep: it has no sweep\.json"):
        Folder(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"sweep": {}}', '{"sweep": 1}', b"\xff", None, {"later_versions": [1]}],
    ids=[
        "empty",
        "cut",
        "a list",
        "no sweep",
        "an empty sweep",
        "a number",
        "bytes",
        "no date",
        "versions",
    ],
)
def test_a_damaged_description_is_refused_untouched(folder, text):
    file = folder.path / "sweep.json"
    document = json.loads(file.read_text())
    if text is None:
        del document["date"]
        text = json.dumps(document)
    elif isinstance(text, dict):
        text = json.dumps(document | text)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = contents(folder.path)
    for sweep in (None, SWEEP):
        with pytest.raises(ValueError, match=r"sweep\.json is not the description of a sweep"):
            Folder(folder.path, sweep)
    assert contents(folder.path) == before


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "[]", "{}", '{"run": "a"}', "null", "\0\0\0"),
        json.dumps(record(2) | {"at": {"rank": "x"}}),
        json.dumps(record(2) | {"at": {"rank": [1, 2]}}),
        json.dumps(record(2) | {"at": {"width": 1}}),
        json.dumps(record(2) | {"at": [["rank", 1]]}),
    ],
)
def test_a_line_that_is_no_record_is_named(folder, line):
    folder.append([record(0)])
    with open(folder.path / "records.jsonl", "a") as file:
        file.write(line + "\n")
    folder.append([record(1)])
    with pytest.raises(ValueError, match=r"records\.jsonl, line 2, is not a record") as caught:
        folder.records()
    assert "delete the line" in str(caught.value)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        Folder(tmp_path / "file", SWEEP)
    assert (tmp_path / "file").read_text() == "mine"


# One process at a time -----------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_one_process_at_a_time_adds_records(folder):
    other = Folder(folder.path)
    with folder.writing():
        with (
            pytest.raises(ValueError, match="another process is running the sweep in"),
            other.writing(),
        ):
            pass
        folder.append([record(0)])
        assert other.records() == [record(0)]  # reading is for all
    with other.writing():
        pass


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_a_process_that_starts_leaves_the_temporary_file_of_another_alone(tmp_path, monkeypatch):
    path = tmp_path / "out"
    replace_file = os.replace

    def meanwhile(temporary, target):
        """Start a second sweep in the folder before the first one's description has its name."""
        monkeypatch.setattr(os, "replace", replace_file)
        with pytest.raises(ValueError, match="another process is running the sweep in"):
            Folder(path, SWEEP)
        replace_file(temporary, target)

    monkeypatch.setattr(os, "replace", meanwhile)
    folder = Folder(path, SWEEP)
    assert set(contents(path)) == {"sweep.json", "records.jsonl"}
    assert Folder(path, SWEEP).began == folder.began


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
@pytest.mark.parametrize("other", [SWEEP, small(("rank", (4,)))], ids=["same", "another"])
def test_a_description_that_came_before_the_lock_is_read(tmp_path, monkeypatch, other):
    path = tmp_path / "out"
    lock = store._lock

    def late(file):
        """Let another process write its description first."""
        monkeypatch.setattr(store, "_lock", lock)
        began.append(Folder(path, other).began)
        return lock(file)

    began = []
    monkeypatch.setattr(store, "_lock", late)
    if other is SWEEP:
        assert Folder(path, SWEEP).began == began[0]
    else:
        with pytest.raises(ValueError, match="holds the results of another sweep"):
            Folder(path, SWEEP)
    assert Folder(path).sweep == other


def test_what_a_kill_left_before_the_description_is_no_hindrance(tmp_path):
    (tmp_path / "records.jsonl").touch()
    Folder(tmp_path, SWEEP).append([record(0)])
    assert Folder(tmp_path).records() == [record(0)]


# Kills and full disks ------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_that_was_cut_off_is_dropped_and_its_run_made_again(tmp_path, cut):
    whole = run_sweep(SWEEP, tmp_path / "whole")
    lines = (whole.path / "records.jsonl").read_bytes().splitlines(keepends=True)
    folder = Folder(tmp_path / "out", SWEEP)
    (folder.path / "records.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:cut])
    assert len(folder.records()) == 5
    again = run_sweep(SWEEP, folder.path)
    assert lasting(again.records()) == lasting(whole.records())
    assert (again.path / "records.jsonl").read_bytes().count(b"\n") == len(lines)


def test_what_a_kill_left_of_the_description_is_no_hindrance(tmp_path):
    (tmp_path / ".sweep.json.abcd").write_text('{"sweep"')
    Folder(tmp_path, SWEEP)
    assert set(contents(tmp_path)) == {"sweep.json", "records.jsonl"}
    assert (tmp_path / "records.jsonl").read_bytes() == b""


def test_a_full_disk_is_an_error_with_its_file_and_leaves_whole_lines(folder, monkeypatch):
    folder.append([record(0)])
    fsync = os.fsync

    def full(descriptor):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - 3)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(OSError, match="start the sweep again to continue") as caught:
        folder.append([record(1), record(2)])
    assert caught.value.errno == errno.ENOSPC
    assert Path(caught.value.filename) == folder.path / "records.jsonl"
    monkeypatch.setattr(store.os, "fsync", fsync)
    assert folder.records() == [record(0), record(1)]
    folder.append([record(2)])
    assert folder.records() == [record(0), record(1), record(2)]


LIMITED = """
import json, resource, sys
from deepreservoir.sweeps import Sweep, run_sweep
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
sweep = Sweep.from_dict(json.loads(sys.argv[1]))
try:
    run_sweep(sweep, sys.argv[2])
except OSError as error:
    sys.exit(f"{error.filename}: {error.strerror}")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_sweep_that_a_full_disk_ended_goes_on(tmp_path):
    out = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": str(Path(deepreservoir.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(SWEEP.to_dict()), str(out)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    *_, message = done.stderr.splitlines()  # below any warnings
    assert message.startswith(f"{out / 'records.jsonl'}: ")
    kept = Folder(out).records()
    assert 0 < len(kept) < len(runs_of(SWEEP))
    assert (out / "records.jsonl").read_bytes().endswith(b"\n")
    expected = run_sweep(SWEEP, tmp_path / "whole").records()
    assert lasting(run_sweep(SWEEP, out).records()) == lasting(expected)
