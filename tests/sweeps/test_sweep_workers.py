"""Runs in this process and in others: the same records, whatever fails or is killed."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sweep_tools import killer, lasting, small, tries
from threadpoolctl import threadpool_info, threadpool_limits

import deepreservoir
from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.experiments import ARMS
from deepreservoir.sweeps import jobs_of, run_sweep, runs_of, work, workers
from deepreservoir.sweeps.work import Assignment
from deepreservoir.sweeps.workers import processes

SWEEP = small(("rank", (1, 2)), seeds=2)


@pytest.fixture
def expected(tmp_path):
    return lasting(run_sweep(SWEEP, tmp_path / "expected").records())


def of_arm(arm, sweep=SWEEP):
    return next(run for run in runs_of(sweep) if run.arm == arm)


# Processes that are killed -------------------------------------------------------------


@pytest.mark.slow  # a killed worker of a cluster is among the usual tests
def test_runs_that_are_killed_are_made_again_and_have_failed_after_that(expected, tmp_path):
    once, often = of_arm("random_features"), of_arm("adapter")
    assert often in jobs_of(runs_of(SWEEP))[0]
    assert len(jobs_of(runs_of(SWEEP))[0]) == 2  # the other has its record
    make = killer(tmp_path, {once: 1, often: 3})
    folder = run_sweep(SWEEP, tmp_path / "out", executor=processes(2, make))
    assert tries(tmp_path, once) == 2
    assert tries(tmp_path, often) in (2, 3)  # twice alone, and before that if it was its turn
    records = lasting(folder.records())
    assert "WorkerKilled: the run killed its worker twice" in records.pop(often.key)["error"]
    assert records == {key: record for key, record in expected.items() if key != often.key}

    # Started again, it is tried once more; the others are not.
    again = run_sweep(SWEEP, tmp_path / "out", executor=processes(2, make))
    assert lasting(again.records()) == expected
    assert len((tmp_path / "out" / "records.jsonl").read_text().splitlines()) == len(expected) + 1


def test_one_worker_process_is_none():
    with pytest.raises(ValueError, match="at least 2; got 1"):
        processes(1)
    with pytest.raises(ValueError, match="workers must be at least 1; got 0"):
        run_sweep(SWEEP, "not made", workers=0)
    assert not Path("not made").exists()


# Runs that fail ------------------------------------------------------------------------


def test_a_run_that_diverges_is_recorded_and_those_beside_it_are_as_if_alone(tmp_path):
    rates = {"rank": (1, 2), "optimizer": ("sgd",), "learning_rate_init": (3e-3, 1e30)}
    sweep = small(*rates.items(), max_iter=5)
    together = jobs_of(runs_of(sweep))[0]
    assert [run.value("learning_rate_init") for run in together] == [3e-3, 1e30] * 2

    folder = run_sweep(sweep, tmp_path / "out")
    records = {record["run"]: record for record in folder.records()}
    assert set(records) == {run.key for run in runs_of(sweep)}
    for run in together:
        record = records[run.key]
        if run.value("learning_rate_init") == 1e30:
            assert "TrainingDiverged" in record["error"]
            assert "score" not in record
        else:
            assert record["side_by_side"] == 1
            (alone,) = work.work(Assignment.of(sweep, (run,)))
            assert lasting([record]) == lasting([alone])
    assert all(
        ("error" in record) == (record["at"].get("learning_rate_init") == 1e30)
        for record in records.values()
        if record["arm"] in ("adapter", "no_scaffold", "full", "equal_bytes")
    )
    assert "score" in records[of_arm("linear", sweep).key]


def test_whatever_a_run_raises_is_recorded_with_its_place(tmp_path, monkeypatch, expected):
    def full(task, seed):
        if seed == 1:
            raise MemoryError("8 TiB")
        return original(task, seed)

    original = work._ALONE["full"]
    with monkeypatch.context() as patch:
        patch.setitem(work._ALONE, "full", full)
        folder = run_sweep(SWEEP, tmp_path / "out")
    records = lasting(folder.records())
    key = next(run.key for run in runs_of(SWEEP) if (run.arm, run.seed) == ("full", 1))
    assert records.pop(key)["error"].startswith("MemoryError: 8 TiB (full, line ")
    assert records == {other: record for other, record in expected.items() if other != key}
    assert lasting(run_sweep(SWEEP, tmp_path / "out").records()) == expected


def test_runs_side_by_side_are_as_if_alone(expected):
    alone = [work.work(Assignment.of(SWEEP, (run,))) for run in runs_of(SWEEP)]
    assert lasting(record for records in alone for record in records) == expected


def test_data_that_is_gone_ends_the_sweep_with_its_words(tmp_path, monkeypatch):
    def gone(text):
        raise DatasetUnavailable("mnist is not on this machine")

    monkeypatch.setattr(work, "task_of", gone)
    with pytest.raises(DatasetUnavailable, match="mnist is not on this machine"):
        next(workers.here([Assignment.of(SWEEP, (of_arm("linear"),))]))


# Threads -------------------------------------------------------------------------------


def test_a_process_makes_one_run_at_a_time(monkeypatch):
    """The limit of threads is the process's, and the first run to end would lift it."""
    going, most = [], []

    def make(task, runs):
        going.append(runs)
        most.append(len(going))
        time.sleep(0.02)
        going.remove(runs)
        return []

    monkeypatch.setattr(work, "_together", make)
    assignments = [Assignment.of(SWEEP, (run,)) for run in runs_of(SWEEP)[:4]]
    threads = [threading.Thread(target=work.work, args=(each,)) for each in assignments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_a_run_has_one_thread_whatever_there_are(monkeypatch):
    def make(task, runs):
        return [pool["num_threads"] for pool in threadpool_info()]

    monkeypatch.setattr(work, "_together", make)
    with threadpool_limits(2):
        before = threadpool_info()
        assert set(work.work(Assignment.of(SWEEP, (of_arm("full"),)))) == {1}
        assert threadpool_info() == before


RECORDS = """
import json, sys
from deepreservoir.sweeps import Sweep, runs_of
from deepreservoir.sweeps.work import Assignment, work
sweep = Sweep.from_dict(json.loads(sys.argv[1]))
jobs = [(run,) for run in runs_of(sweep)]
print(json.dumps([record for job in jobs for record in work(Assignment.of(sweep, job))]))
"""


def made_with(threads, sweep):
    """Return the records that a process makes whose BLAS has so many threads."""
    environment = os.environ | {
        "PYTHONPATH": str(Path(deepreservoir.__file__).parents[1]),
        "OPENBLAS_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads,
    }
    command = [sys.executable, "-c", RECORDS, json.dumps(sweep)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return lasting(json.loads(done.stdout))


@pytest.mark.slow
def test_records_do_not_depend_on_the_threads_of_the_parent(tmp_path):
    """Were two threads let, R^2 would have other last digits: a batch is all rows here."""
    X = np.random.default_rng(0).standard_normal((700, 20))
    y = np.sin(X[:, :3] @ X[:3, :3]).sum(axis=1)
    head = ",".join([*(f"x{i}" for i in range(20)), "y"])
    table = tmp_path / "numbers.csv"
    np.savetxt(table, np.column_stack([X, y]), delimiter=",", header=head, comments="")
    sweep = small(("rank", (8,)), hidden_layer_sizes=(256,), batch_size=2048, max_iter=5).to_dict()
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    sweep |= {"dataset": str(table), "target": "y", "data_digest": digest}
    one, two = made_with("1", sweep), made_with("2", sweep)
    scored = {record["arm"] for record in one.values() if "score" in record}
    assert scored == set(ARMS) - {"scaffold_removed", "wrong_seed", "echo_state"}
    assert one == two


@pytest.mark.slow
def test_records_of_images_do_not_depend_on_them_either():
    sweep = small(("rank", (4,))).to_dict()
    sweep |= {"dataset": "digits", "target": None, "data_digest": None}
    one, two = made_with("1", sweep), made_with("2", sweep)
    assert all("score" in record for record in one.values())
    assert one == two
