"""Parts in other processes and on a cluster: the bits of one process, whatever happens to them."""

import os
import signal
import tempfile
import time

import pytest
from parts_tools import TRAININGS, bits

from deepreservoir import clusters
from deepreservoir.clusters import ClusterUnavailable
from deepreservoir.network import Network
from deepreservoir.training import part_cluster, part_processes

pytestmark = pytest.mark.host(reason="parts of batches are computed on the CPU")


#: All architectures; one of them is among the usual tests.
ALL = [pytest.param(name, marks=() if name == "table" else pytest.mark.slow) for name in TRAININGS]


def fitted(name, **how):
    model, data = TRAININGS[name]()
    return model.fit(*data, **how)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder in which temporary files of this test are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ALL)
def test_two_workers_give_the_bits_of_one_process(name, temporary):
    assert bits(fitted(name, parts=2, workers=2)) == bits(fitted(name, parts=2))
    assert not list(temporary.iterdir())


@pytest.fixture
def pools(monkeypatch):
    """The pools of processes that were started, the current one last."""
    started = []

    class Pool(part_processes.ProcessPoolExecutor):
        def __init__(self, *args, **named):
            super().__init__(*args, **named)
            started.append(self)

    monkeypatch.setattr(part_processes, "ProcessPoolExecutor", Pool)
    return started


def killed(pools):
    """Return a callback that kills a worker after the first epoch."""

    def callback(state):
        if state.epoch == 1:
            os.kill(next(iter(pools[-1]._processes)), signal.SIGKILL)

    return callback


@pytest.mark.slow
def test_a_killed_worker_changes_no_bit(pools, temporary):
    expected = bits(fitted("images", parts=4))
    with pytest.warns(UserWarning, match="its part of the batch is computed again"):
        model = fitted("images", parts=4, workers=2, callback=killed(pools))
    assert len(pools) == 2
    assert bits(model) == expected
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_workers_that_keep_ending_end_the_training(monkeypatch, temporary):
    monkeypatch.setattr(part_processes, "_compute", _end)
    monkeypatch.setattr(part_processes, "ATTEMPTS", 2)
    model, data = TRAININGS["table"]()
    with (
        pytest.warns(UserWarning, match="computed again"),
        pytest.raises(part_processes.WorkerLost, match="ended 2 times during one training step"),
    ):
        model.fit(*data, workers=2)
    assert not hasattr(model, "network_")
    assert not list(temporary.iterdir())


def _end(*args):
    os._exit(1)


def test_ctrl_c_leaves_a_usable_model_and_no_process(pools, temporary):
    def interrupt(state):
        raise KeyboardInterrupt

    model, data = TRAININGS["table"]()
    with pytest.warns(UserWarning, match="training was interrupted"):
        model.fit(*data, workers=2, callback=interrupt)
    assert model.predict(data[0]).shape == (27,)
    assert not list(temporary.iterdir())
    assert not pools[-1]._processes


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_explained_as_in_one_process(temporary):
    model, (X, y, _) = TRAININGS["table"]()
    messages = []
    for how in ({"parts": 2}, {"workers": 2}):
        with pytest.raises(ValueError, match="the loss became") as caught:
            model.set_params(learning_rate_init=1e30).fit(X * 1e20, y, **how)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_training_resumes_with_another_number_of_workers(tmp_path, temporary):
    def fail(state):
        raise RuntimeError("stopped")

    model, data = TRAININGS["table"]()
    path = tmp_path / "c.checkpoint"
    with pytest.raises(RuntimeError, match="stopped"):
        model.fit(*data, checkpoint=path, parts=2, workers=2, callback=fail)
    assert bits(model.fit(*data, checkpoint=path, parts=2)) == bits(fitted("table", parts=2))


# A cluster -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, protocol="tcp", dashboard_address=":0"
    ) as found:
        yield found


@pytest.fixture
def thread():
    """A cluster of one worker, in this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as found:
        yield found


@pytest.mark.parametrize("name", ALL)
def test_a_cluster_gives_the_bits_of_one_process(cluster, name):
    model = fitted(name, parts=2, cluster=cluster.scheduler_address)
    assert bits(model) == bits(fitted(name, parts=2))


def test_a_lost_worker_of_a_cluster_changes_no_bit(cluster):
    def kill(state):
        if state.epoch == 1:
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

    model = fitted("images", parts=4, cluster=cluster.scheduler_address, callback=kill)
    assert bits(model) == bits(fitted("images", parts=4))


def test_workers_that_draw_other_weights_are_refused(thread, monkeypatch):
    """As on a machine with another LAPACK, or with another version of the package."""
    digests = Network.digests
    monkeypatch.setattr(Network, "digests", lambda self: dict.fromkeys(digests(self), "0" * 64))
    with pytest.raises(ClusterUnavailable, match=r"the worker .* cannot take part: the scaff"):
        fitted("table", parts=2, cluster=thread.scheduler_address)
    assert not part_cluster._computers


def test_a_worker_that_joins_later_with_other_versions_is_refused(thread, monkeypatch):
    """Workers are prepared again whenever one of them does not know the training."""
    problem = part_cluster.version_problem
    monkeypatch.setattr(  # which the check before the training does not use
        part_cluster, "version_problem", lambda found, own: problem(found | {"numpy": "1.0"}, own)
    )
    with pytest.raises(
        ClusterUnavailable, match=r"the worker .* cannot take part: it has numpy 1\.0, this machine"
    ):
        fitted("table", parts=2, cluster=thread.scheduler_address)
    assert not part_cluster._computers


def test_nothing_of_a_training_stays_on_the_cluster(thread):
    fitted("table", parts=2, cluster=thread.scheduler_address)
    assert not part_cluster._computers


@pytest.mark.slow
def test_a_cluster_that_loses_all_workers_is_given_up(thread, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)

    def end(state):
        thread.scale(0)
        deadline = time.monotonic() + 10
        while thread.scheduler.workers and time.monotonic() < deadline:
            time.sleep(0.05)

    with pytest.raises(ClusterUnavailable, match=r"no worker for 0\.5 seconds"):
        fitted("table", parts=2, cluster=thread.scheduler_address, callback=end)
