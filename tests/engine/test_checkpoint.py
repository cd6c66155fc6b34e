"""Checkpoints: a training that was killed goes on, to the same bits."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from deepreservoir import ArtifactError, DeepReservoirClassifier, TrainingDiverged
from deepreservoir.training import checkpoint as checkpoints

pytestmark = pytest.mark.host(reason="checkpoints are files, and processes that are killed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5)).astype(np.float32)
Y = np.arange(300) % 3
PARAMS = {
    "plain": {},
    "averaged": {"ema_decay": 0.9, "dropout": 0.2, "max_grad_norm": 1.0},
    "stopped early": {"early_stopping": True, "n_iter_no_change": 3, "ema_decay": 0.9},
    "momentum": {"optimizer": "sgd", "learning_rate_init": 0.05, "warmup": 0.2},
}


def model(**params):
    fixed = {"batch_size": 32, "max_iter": 12, "random_state": 0, "hidden_layer_sizes": (16,)}
    return DeepReservoirClassifier(**{**fixed, **params})


def same(a, b):
    np.testing.assert_array_equal(a.network_.theta, b.network_.theta)
    assert a.history_ == b.history_
    assert a.stop_reason_ == b.stop_reason_
    assert a.scaffold_seed_ == b.scaffold_seed_


class _Killed(Exception):
    pass


def die_after(monkeypatch, n):
    """Write a checkpoint after every step, and die after the n-th."""
    count = [0]
    save = checkpoints.Checkpoint.save

    def counted(self, progress):
        save(self, progress)
        count[0] += 1
        if count[0] == n:
            raise _Killed

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints.Checkpoint, "save", counted)


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
@pytest.mark.parametrize("step", [1, 9, 10, 11, 37])
def test_a_training_goes_on_from_any_step_to_the_same_bits(params, step, tmp_path, monkeypatch):
    whole = model(**params).fit(X, Y)
    path = tmp_path / "c.safetensors"
    with monkeypatch.context() as patch:
        die_after(patch, step)
        with pytest.raises(_Killed):
            model(**params).fit(X, Y, checkpoint=path)
    assert path.is_file()
    same(model(**params).fit(X, Y, checkpoint=path), whole)
    assert not path.exists()


def test_a_checkpoint_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    same(model().fit(X, Y, checkpoint=tmp_path / "c"), model().fit(X, Y))
    assert list(tmp_path.iterdir()) == []


def test_what_was_drawn_by_chance_is_drawn_once(tmp_path, monkeypatch):
    path = tmp_path / "c"
    first = model(random_state=None)
    with monkeypatch.context() as patch:
        die_after(patch, 15)
        with pytest.raises(_Killed):
            first.fit(X, Y, checkpoint=path)
    seed = checkpoints.Checkpoint(path).seeds[0]
    found = model(random_state=None).fit(X, Y, checkpoint=path)
    assert found.scaffold_seed_ == seed
    assert len(found.history_["loss"]) == 12


@pytest.mark.parametrize("seeds", [(5, 6), (None, 6), (5, None)], ids=str)
def test_a_scaffold_that_is_asked_for_is_never_replaced(seeds, tmp_path, monkeypatch):
    """What was drawn by chance is taken from the file; a seed that is given is not."""
    path = tmp_path / "c"
    first, second = (model(random_state=None, scaffold_seed=seed) for seed in seeds)
    with monkeypatch.context() as patch:
        die_after(patch, 15)
        with pytest.raises(_Killed):
            first.fit(X, Y, checkpoint=path)
    before = path.read_bytes()
    if seeds[1] is not None:
        with pytest.raises(
            ArtifactError, match="belongs to another training run: the data, a parameter"
        ):
            second.fit(X, Y, checkpoint=path)
        assert path.read_bytes() == before
        second = model(random_state=None, scaffold_seed=seeds[0])
    found = second.fit(X, Y, checkpoint=path)
    assert found.scaffold_seed_ == checkpoints_seed(before, tmp_path)
    assert not path.exists()


def checkpoints_seed(data, folder):
    """The seed of the scaffold in a checkpoint's bytes."""
    path = folder / "copy"
    path.write_bytes(data)
    return checkpoints.Checkpoint(path).seeds[0]


SCRIPT = """
import sys
import numpy as np
from deepreservoir import DeepReservoirClassifier, save
from deepreservoir.training import checkpoint
checkpoint.SECONDS = 0.0
rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 20)).astype(np.float32)
y = np.arange(2000) % 5
model = DeepReservoirClassifier((64, 32), batch_size=16, max_iter=4, random_state=0, dropout=0.1)
print("fitting", flush=True)
model.fit(X, y, checkpoint=sys.argv[1] or None)
save(model, sys.argv[2])
"""


@pytest.mark.slow
def test_processes_killed_at_random_lose_nothing(tmp_path):
    path = tmp_path / "c.safetensors"

    def run(checkpoint, out, seconds=None):
        command = [sys.executable, "-c", SCRIPT, str(checkpoint), str(out)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "fitting\n"
        if seconds is not None:
            time.sleep(seconds)
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return process.returncode

    assert run("", tmp_path / "whole") == 0
    kills, rng = 0, np.random.default_rng()
    while kills < 2 and run(path, tmp_path / "found", rng.uniform(0.05, 0.4)) != 0:
        kills += 1
    if not (tmp_path / "found").exists():
        assert run(path, tmp_path / "found") == 0
    assert kills
    assert (tmp_path / "found").read_bytes() == (tmp_path / "whole").read_bytes()


def test_another_training_is_refused_and_the_file_kept(tmp_path, monkeypatch):
    path = tmp_path / "c"
    with monkeypatch.context() as patch:
        die_after(patch, 5)
        with pytest.raises(_Killed):
            model().fit(X, Y, checkpoint=path)
    before = path.read_bytes()
    changed = X.copy()
    changed[0, 0] += 1
    for other, x in ((model(rank=2), X), (model(random_state=1), X), (model(), changed)):
        with pytest.raises(
            ArtifactError, match="belongs to another training run: the data, a parameter"
        ):
            other.fit(x, Y, checkpoint=path)
    assert path.read_bytes() == before
    path.write_bytes(before[:-1])
    with pytest.raises(ArtifactError, match="damaged or was changed"):
        model().fit(X, Y, checkpoint=path)


def test_a_file_that_is_no_checkpoint_is_not_written_over(tmp_path):
    from deepreservoir import save

    path = save(model().fit(X, Y), tmp_path / "m.safetensors")
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="is not a checkpoint and would be overwritten"):
        model().fit(X, Y, checkpoint=path)
    assert path.read_bytes() == before
    with pytest.raises(NotADirectoryError, match="the folder of checkpoint"):
        model().fit(X, Y, checkpoint=tmp_path / "none" / "c")


def test_a_training_that_diverged_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    path = tmp_path / "c"
    # A step this large drives a linear network to infinity within an epoch or two.
    bad = model(learning_rate_init=1e30, optimizer="sgd", activation="identity")
    with pytest.raises(TrainingDiverged):
        bad.fit(X, Y, checkpoint=path)
    assert not path.exists()


def test_ctrl_c_keeps_the_file(tmp_path, monkeypatch):
    whole = model().fit(X, Y)
    path = tmp_path / "c"
    save = checkpoints.Checkpoint.save

    def interrupted(self, progress):
        save(self, progress)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", interrupted)
        with pytest.warns(UserWarning, match="interrupted"):
            model().fit(X, Y, checkpoint=path)
    same(model().fit(X, Y, checkpoint=path), whole)


# A file that cannot be written --------------------------------------------------------


def failing(monkeypatch, codes):
    """Let writing fail with these error numbers in turn, None for success; then succeed."""
    fsync, codes = os.fsync, iter(codes)

    def step(descriptor):
        code = next(codes, None)
        if code is not None:
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(os, "fsync", step)


def messages(caught):
    return [str(one.message) for one in caught]


def test_a_full_disk_is_warned_about_once_and_training_continues(tmp_path, monkeypatch):
    whole, path = model().fit(X, Y), tmp_path / "c"
    failing(monkeypatch, [errno.ENOSPC] * 1000)
    with pytest.warns(UserWarning, match="could not be written") as caught:
        found = model().fit(X, Y, checkpoint=path)
    same(found, whole)
    assert len(caught) == 1
    assert caught[0].category is UserWarning
    assert caught[0].filename == __file__
    assert f"the checkpoint {path} could not be written: No space left" in messages(caught)[0]
    assert list(tmp_path.iterdir()) == []


def test_each_reason_is_warned_about_once(tmp_path, monkeypatch):
    failing(monkeypatch, [errno.ENOSPC, errno.EACCES, errno.ENOSPC, None, errno.EACCES])
    with pytest.warns(UserWarning, match="could not be written") as caught:
        model().fit(X, Y, checkpoint=tmp_path / "c")
    said = messages(caught)
    assert len(said) == 2
    assert "No space left on device" in said[0]
    assert "Permission denied" in said[1]
    assert list(tmp_path.iterdir()) == []


def test_the_next_checkpoint_that_is_due_is_tried_again(tmp_path, monkeypatch):
    whole, path = model().fit(X, Y), tmp_path / "c"
    with monkeypatch.context() as patch:
        die_after(patch, 9)
        failing(patch, [errno.ENOSPC] * 5)
        with pytest.warns(UserWarning, match="could not be written"), pytest.raises(_Killed):
            model().fit(X, Y, checkpoint=path)
    assert [found.name for found in tmp_path.iterdir()] == ["c"]
    same(model().fit(X, Y, checkpoint=path), whole)


def test_an_older_checkpoint_survives_a_full_disk(tmp_path, monkeypatch):
    whole, path = model().fit(X, Y), tmp_path / "c"
    with monkeypatch.context() as patch:
        die_after(patch, 9)
        failing(patch, [None] * 5 + [errno.ENOSPC] * 100)
        with pytest.warns(UserWarning, match="could not be written"), pytest.raises(_Killed):
            model().fit(X, Y, checkpoint=path)
    assert checkpoints.Checkpoint(path).resume().step == 5
    same(model().fit(X, Y, checkpoint=path), whole)


def test_a_folder_that_is_gone_is_warned_about(tmp_path, monkeypatch):
    whole, folder = model().fit(X, Y), tmp_path / "folder"
    folder.mkdir()
    save = checkpoints.Checkpoint.save

    def save_elsewhere(self, progress):
        shutil.rmtree(folder, ignore_errors=True)
        save(self, progress)

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints.Checkpoint, "save", save_elsewhere)
    with pytest.warns(UserWarning, match="could not be written: No such file") as caught:
        found = model().fit(X, Y, checkpoint=folder / "c")
    assert len(caught) == 1
    same(found, whole)
    assert not folder.exists()


def test_a_file_that_cannot_be_removed_does_not_cost_the_model(tmp_path, monkeypatch):
    whole, path = model().fit(X, Y), tmp_path / "c"

    def refuse(self, missing_ok=False):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints.Path, "unlink", refuse)
    found = model()
    with pytest.warns(UserWarning, match="could not be removed: Permission denied") as caught:
        found.fit(X, Y, checkpoint=path)
    assert str(path) in messages(caught)[0]
    same(found, whole)
    bad = model(learning_rate_init=1e30, optimizer="sgd", activation="identity")
    with (
        pytest.warns(UserWarning, match="could not be removed"),
        pytest.raises(TrainingDiverged),
    ):
        bad.fit(X, Y, checkpoint=tmp_path / "d")


def test_seed_gating_survives_a_full_disk_too(tmp_path, monkeypatch):
    from deepreservoir import SeedGatedClassifier

    params = {"hidden_layer_sizes": (16,), "max_iter": 3, "random_state": 0}
    task = np.arange(300) % 2
    whole = SeedGatedClassifier(**params).fit(X, Y, task=task)
    failing(monkeypatch, [errno.ENOSPC] * 1000)
    with pytest.warns(UserWarning, match="could not be written") as caught:
        found = SeedGatedClassifier(**params).fit(X, Y, task=task, checkpoint=tmp_path / "c")
    assert len([one for one in caught if one.category is UserWarning]) == 1
    np.testing.assert_array_equal(found.network_.theta, whole.network_.theta)


def test_writing_that_succeeds_warns_of_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().fit(X, Y, checkpoint=tmp_path / "c")
