"""Runs on a Dask cluster: the records of one process, whatever happens to its workers."""

import json
import pickle
import socket
import sys
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from sweep_tools import KINDS, killer, lasting, small, tries

from deepreservoir import clusters
from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.sweeps import (
    ClusterUnavailable,
    Folder,
    cluster,
    dask_cluster,
    run_sweep,
    runs_of,
)
from deepreservoir.sweeps.work import task_of, work
from deepreservoir.versions import versions

distributed = pytest.importorskip("distributed")

SWEEP = small(("rank", (1, 2)), seeds=2)


@pytest.fixture(scope="module")
def workers():
    """Two worker processes."""
    with local(n_workers=2, processes=True) as found:
        yield found


@pytest.fixture
def thread():
    """A cluster of one worker, in this process."""
    with local(n_workers=1, processes=False) as found:
        yield found


def local(**given):
    return distributed.LocalCluster(
        threads_per_worker=1, protocol="tcp", dashboard_address=":0", **given
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return lasting(run_sweep(SWEEP, tmp_path_factory.mktemp("here")).records())


def of_arm(arm):
    return next(run for run in runs_of(SWEEP) if run.arm == arm)


def only_specifications(make, assignment):
    """Make runs from something that is small, and that JSON can tell whole."""
    assert len(pickle.dumps(assignment)) < 3000
    assert json.loads(assignment.sweep)["dataset"] == str(KINDS)
    records = make(assignment)
    assert json.loads(json.dumps(records)) == records
    return records


@pytest.mark.slow
def test_records_are_those_of_one_process_though_a_worker_is_killed(workers, expected, tmp_path):
    run = of_arm("adapter")
    make = partial(only_specifications, killer(tmp_path, {run: 1}))
    executor = dask_cluster(workers.scheduler_address, make)
    folder = run_sweep(SWEEP, tmp_path / "out", executor=executor)
    assert tries(tmp_path, run) == 2  # killed once, made once
    assert lasting(folder.records()) == expected


@pytest.mark.slow
def test_a_run_that_keeps_killing_workers_has_failed_and_the_sweep_goes_on(
    workers, expected, tmp_path
):
    workers.scheduler.allowed_failures = 0
    run = of_arm("adapter")  # which is trained beside another
    executor = dask_cluster(workers.scheduler_address, killer(tmp_path, {run: 2}))
    folder = run_sweep(SWEEP, tmp_path / "out", executor=executor)
    assert tries(tmp_path, run) == 2
    records = lasting(folder.records())
    assert "WorkerKilled" in records.pop(run.key)["error"]
    assert records == {key: record for key, record in expected.items() if key != run.key}

    # Started again, it is tried once more.
    again = run_sweep(SWEEP, tmp_path / "out", executor=executor)
    assert lasting(again.records()) == expected


@pytest.mark.slow
def test_adapters_are_grouped_so_that_all_workers_have_work(workers, tmp_path):
    grid = ("rank", (1, 2, 3)), ("learning_rate_init", (1e-3, 2e-3))
    sweep = replace(small(*grid), arms=("adapter",))
    executor = dask_cluster(workers.scheduler_address)
    assert executor.n_workers == 2
    folder = run_sweep(sweep, tmp_path, executor=executor)
    assert [record["side_by_side"] for record in folder.records()] == [3] * 6


# Without a cluster ---------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(clusters, "_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_that_does_not_answer_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        silent = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        for address in ("tcp://127.0.0.1:1", silent):
            with pytest.raises(ClusterUnavailable, match=f"responded at {address} within"):
                dask_cluster(address)


@pytest.mark.parametrize("address", ["", "127.0.0.1", "tcp://", "nowhere://1:2", "tcp://a:b"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="must be an address such as tcp://127") as caught:
        dask_cluster(address)
    assert repr(address) in str(caught.value)


@pytest.mark.usefixtures("impatient")
def test_a_cluster_without_workers_is_refused():
    with (
        local(n_workers=0, processes=False) as empty,
        pytest.raises(ClusterUnavailable, match="has no workers; start some with `dask worker"),
    ):
        dask_cluster(empty.scheduler_address)


def test_without_dask_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterUnavailable, match=r"pip install 'deepreservoir\[dask\]'"):
        dask_cluster("tcp://127.0.0.1:1")


class Told:
    """A client whose one worker answers as it was told to."""

    def __init__(self, answer):
        self.answer = answer

    def run(self, function, on_error):
        assert function is versions
        assert on_error == "return"
        return {"tcp://w:1": self.answer}


def test_workers_with_other_versions_are_refused():
    clusters.check_versions(Told(versions() | {"python": "3.99"}))  # of no matter to the records
    with pytest.raises(
        ClusterUnavailable, match=r"tcp://w:1 has numpy 1\.0, this machine has"
    ) as caught:
        clusters.check_versions(Told(versions() | {"numpy": "1.0"}))
    assert "Install the same version on all machines" in str(caught.value)
    with pytest.raises(ClusterUnavailable, match=r"has numba 0\.1, this machine has"):
        clusters.check_versions(Told(versions() | {"numba": "0.1"}))


def test_a_slow_consumer_does_not_count_as_time_without_workers(monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.2)
    monkeypatch.setattr(clusters, "LOOK_EVERY", 0.0)
    client = SimpleNamespace(status="running", nthreads=lambda: {"tcp://w:1": 1})
    watch = clusters.WorkerWatch(client)
    watch.check()
    time.sleep(0.3)
    client.nthreads = dict
    watch.check()  # they may have left just now
    time.sleep(0.3)
    with pytest.raises(ClusterUnavailable, match=r"no worker for 0\.2 seconds"):
        watch.check()


def test_a_worker_that_joins_later_with_other_versions_ends_the_sweep(
    thread, expected, tmp_path, monkeypatch
):
    executor = dask_cluster(thread.scheduler_address)
    with monkeypatch.context() as patch:  # as if another worker had joined after the check
        patch.setattr(cluster, "versions", lambda: versions() | {"numpy": "1.0"})
        with pytest.raises(
            ClusterUnavailable, match=r"the worker tcp://.* has numpy 1\.0, this machine has"
        ) as caught:
            run_sweep(SWEEP, tmp_path / "out", executor=executor)
    assert "start the sweep again to continue it" in str(caught.value)
    assert Folder(tmp_path / "out").records() == []
    again = run_sweep(SWEEP, tmp_path / "out", executor=executor)
    assert lasting(again.records()) == expected


def test_workers_that_lack_the_package_are_refused():
    missing = ModuleNotFoundError("No module named 'deepreservoir'")
    with pytest.raises(ClusterUnavailable, match="cannot be used: ModuleNotFoundError"):
        clusters.check_versions(Told(missing))


# Ends before the end -------------------------------------------------------------------


def test_an_interrupted_sweep_leaves_nothing_on_the_cluster(thread, tmp_path, monkeypatch):
    def stop(folder, records):
        raise KeyboardInterrupt

    monkeypatch.setattr(Folder, "append", stop)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SWEEP, tmp_path / "out", executor=dask_cluster(thread.scheduler_address))
    deadline = time.monotonic() + 10
    while thread.scheduler.tasks and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not thread.scheduler.tasks


def test_a_scheduler_that_is_lost_keeps_what_was_recorded(thread, expected, tmp_path, monkeypatch):
    append = Folder.append

    def last(folder, records):
        append(folder, records)
        thread.close()

    executor = dask_cluster(thread.scheduler_address)
    with monkeypatch.context() as patch:
        patch.setattr(clusters, "_SECONDS", 0.5)
        patch.setattr(Folder, "append", last)
        with pytest.raises(ClusterUnavailable, match="was lost"):
            run_sweep(SWEEP, tmp_path / "out", executor=executor)
    kept = lasting(Folder(tmp_path / "out").records())
    assert 0 < len(kept) < len(expected)
    assert lasting(run_sweep(SWEEP, tmp_path / "out").records()) == expected


def test_a_cluster_without_workers_is_given_up_and_records_are_kept(
    thread, expected, tmp_path, monkeypatch
):
    append = Folder.append

    def last(folder, records):
        append(folder, records)
        thread.scale(0)
        deadline = time.monotonic() + 10
        while thread.scheduler.workers and time.monotonic() < deadline:
            time.sleep(0.05)

    executor = dask_cluster(thread.scheduler_address)
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    monkeypatch.setattr(clusters, "LOOK_EVERY", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "append", last)
        with pytest.raises(
            ClusterUnavailable, match=r"had no worker for 0\.5 seconds\. All records are kept"
        ):
            run_sweep(SWEEP, tmp_path / "out", executor=executor)
    kept = lasting(Folder(tmp_path / "out").records())
    assert 0 < len(kept) < len(expected)
    assert kept.items() <= expected.items()


def test_data_that_a_worker_does_not_have_ends_the_sweep_with_its_words(thread, tmp_path):
    def lacking(assignment):
        raise DatasetUnavailable("mnist is not on this machine")

    executor = dask_cluster(thread.scheduler_address, lacking)
    with pytest.raises(
        DatasetUnavailable, match=r"on the worker tcp://.*: mnist is not on this machine"
    ):
        run_sweep(SWEEP, tmp_path / "out", executor=executor)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "which small names, does not exist; all machines must have the file at the same"),
        (b"a,b\n1,2\n", "differs from the file that small was declared with"),
    ],
    ids=["missing", "another"],
)
def test_a_table_that_a_worker_does_not_have_is_named_with_the_worker(
    thread, tmp_path, content, words
):
    path = tmp_path / "kinds.csv"
    path.write_bytes(KINDS.read_bytes())

    def elsewhere(assignment):
        """Make runs on a machine whose files are others."""
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        task_of.cache_clear()
        return work(assignment)

    executor = dask_cluster(thread.scheduler_address, elsewhere)
    sweep = replace(SWEEP, dataset=str(path))
    with pytest.raises(ClusterUnavailable, match=rf"on the worker tcp://.*: {path}.*{words}"):
        run_sweep(sweep, tmp_path / "out", executor=executor)
