"""Files that cannot be written: refused before work, and after it nothing is lost silently."""

import errno
import os
import stat

import pytest
from cli_tools import files_below, own_folder, run

import deepreservoir.files
from deepreservoir import load
from deepreservoir.experiments.comparisons import results

QUICK = ("--epochs", "2", "--layers", "4", "--rank", "1")
COMPARE = ("compare", "t.csv", "--target", "y", "--arms", "linear", "--seeds", 1, "--ranks", 1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(60)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return folder


@pytest.fixture
def full(monkeypatch):
    """Return a function that fills the disk below a folder, now or for files above a size."""

    def fill(folder, above=-1):
        usual = os.fsync

        def fsync(descriptor):
            name = os.readlink(f"/proc/self/fd/{descriptor}")
            if name.startswith(str(folder)) and os.fstat(descriptor).st_size > above:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            usual(descriptor)

        monkeypatch.setattr(deepreservoir.files.os, "fsync", fsync)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    return fill


def refused(capsys, *arguments):
    assert run(*arguments) != 0
    shown = capsys.readouterr()
    (message,) = [line for line in shown.err.splitlines() if line.startswith("Error: ")]
    return message, shown.out


@pytest.fixture
def untrained(monkeypatch):
    def reached(*_, **__):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.cli.models.fit_table", reached)
    monkeypatch.setattr("deepreservoir.cli.compare.compare", reached)
    monkeypatch.setattr("deepreservoir.cli.sweep.run_sweep", reached)


@pytest.mark.usefixtures("untrained")
def test_a_full_disk_is_noticed_before_training(here, full, capsys):
    full(here)
    fit = ("fit", "t.csv", "--target", "y", *QUICK, "--save", "m.st")
    message, _ = refused(capsys, *fit)
    assert "m.st cannot be written: no space left on device" in message
    message, _ = refused(capsys, *COMPARE, "--out", "a/b")
    assert "--out a/b cannot be written to: no space left on device" in message
    (here / "s.toml").write_text('dataset = "digits"\n[grid]\nrank = [1]\n')
    message, _ = refused(capsys, "sweep", "s.toml", "--out", "s")
    assert "--out s cannot be written to: no space left on device" in message
    assert files_below(here) == ["s.toml", "t.csv"]
    assert not (here / "a").exists()


@pytest.mark.usefixtures("untrained")
def test_a_read_only_file_stays_as_it_is(here, capsys):
    (here / "m.st").write_bytes(b"kept")
    (here / "m.st").chmod(stat.S_IRUSR)
    message, _ = refused(capsys, "fit", "t.csv", "--target", "y", "--save", "m.st")
    assert "m.st cannot be written: the file is read-only" in message
    assert (here / "m.st").read_bytes() == b"kept"


def test_a_model_that_does_not_fit_in_the_end_is_kept_elsewhere(here, full, tmp_path, capsys):
    full(here, above=1 << 16)
    fit = ("fit", "t.csv", "--target", "y", "--epochs", "1", "--save", "m.st")
    fit = (*fit, "--layers", "6000,4", "--rank", "1")
    message, printed = refused(capsys, *fit)
    assert "accuracy " in printed
    assert "Wrote" not in printed
    assert "m.st could not be written: no space left on device; the model is in " in message
    kept = message.split("the model is in ")[1].removesuffix(" instead")
    assert kept.startswith(str(tmp_path / "temporary"))
    assert load(kept)[-1].n_features_in_ == 1
    assert files_below(here) == ["t.csv"]


def test_what_fits_nowhere_is_said_to_be_lost(here, full, tmp_path, capsys):
    full(tmp_path, above=1 << 16)
    fit = ("fit", "t.csv", "--target", "y", "--epochs", "1", "--save", "m.st")
    message, printed = refused(capsys, *fit, "--layers", "6000,4", "--rank", "1")
    assert "accuracy " in printed
    assert message.endswith("no space left on device; the model is lost")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_comparison_is_printed_before_it_is_said_where_its_files_are(here, capsys, monkeypatch):
    def fail(self, folder):
        if str(folder) == "o":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "o/results.json")
        return usual(self, folder)

    from deepreservoir.experiments import Comparison

    usual = Comparison.save
    monkeypatch.setattr(Comparison, "save", fail)
    message, printed = refused(capsys, *COMPARE, "--out", "o")
    assert "| logistic regression |" in printed
    assert "o/results.json could not be written: no space left on device" in message
    assert "the results are in " in message
    assert os.path.isfile(f"{message.split('are in ')[1].removesuffix(' instead')}/results.json")


def test_a_sweep_prints_the_runs_that_were_recorded(here, capsys, monkeypatch):
    from deepreservoir.sweeps import Folder

    (here / "s.toml").write_text(
        'dataset = "t.csv"\ntarget = "y"\nseeds = 1\n'
        "[protocol]\nmax_iter = 1\nhidden_layer_sizes = [4]\n[grid]\nrank = [1]\n"
    )
    usual, seen = Folder.append, []

    def append(self, records):
        if seen:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.path / "records.jsonl"))
        seen.append(usual(self, records))

    monkeypatch.setattr(Folder, "append", append)
    message, printed = refused(capsys, "sweep", "s.toml", "--out", "s")
    assert "s/records.jsonl: No space left on device" in message
    assert printed.startswith("| arm")


def disk_fills_up(folder, monkeypatch):
    """Let no result be written to a folder, although a probe could be."""
    usual = results.write_whole

    def write(path, content):
        if folder in path.absolute().parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        usual(path, content)

    monkeypatch.setattr(results, "write_whole", write)


def test_results_of_a_search_over_ranks_are_kept_elsewhere(here, capsys, monkeypatch):
    disk_fills_up(here, monkeypatch)
    message, out = refused(
        capsys, "rank", "digits", "--ranks", 1, "--seeds", 1, "--folds", 2, "--out", "r.json"
    )
    assert "adapter on a frozen scaffold" in out
    assert "the results are in " in message
    (kept,) = here.parent.glob("temporary/*/r.json")
    assert str(kept) in message


def test_results_of_forecasts_are_kept_elsewhere(here, capsys, monkeypatch):
    disk_fills_up(here, monkeypatch)
    message, out = refused(
        capsys, "compare", "mackey_glass", "--ranks", 1, "--seeds", 1, "--arms", "linear"
    )
    assert "linear on lag windows" in out
    (kept,) = here.parent.glob("temporary/*/*/results.json")
    assert str(kept.parent) in message


def test_finished_runs_are_kept_if_a_later_one_fails(here, capsys, monkeypatch):
    def fail(task, seed):
        raise MemoryError("Unable to allocate 80 GiB")

    monkeypatch.setattr("deepreservoir.experiments.comparisons.arms.linear", fail)
    arms = ("--arms", "linear,random_features", "--out", "o")
    command = [each for each in COMPARE if each not in ("--arms", "linear")]
    assert run(*command, *arms) == 1
    shown = capsys.readouterr()
    assert "random features" in shown.out
    assert "An error ended the comparison: the results of the finished runs are kept" in shown.err
    assert "not enough memory: Unable to allocate 80 GiB" in shown.err
    assert (here / "o" / "results.json").is_file()


def test_a_trained_model_is_kept_if_the_comparison_is_interrupted(here, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("deepreservoir.experiments.tables.references.references", interrupt)
    with pytest.warns(UserWarning, match="was interrupted; the model is kept"):
        assert run("fit", "t.csv", "--target", "y", "--save", "m.safetensors", *QUICK) == 0
    assert "held-out rows" in capsys.readouterr().out
    assert load(here / "m.safetensors").predict([[3.0]]).shape == (1,)
