"""`deepreservoir sweep`: what it prints and keeps, what it refuses, and that it can be stopped."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial

import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir import clusters
from deepreservoir.experiments.comparisons import resources
from deepreservoir.reports import summary_table
from deepreservoir.sweeps import Folder, read_sweep, run_sweep, runs_of

ROWS = "".join(f"{i % 7},{i * 13 % 11},{i * i % 5},{'ab'[i % 7 > 3]}\n" for i in range(80))
DECLARATION = """
dataset = "made.csv"
target = "kind"
seeds = {seeds}

[protocol]
hidden_layer_sizes = [6]
max_iter = {epochs}
batch_size = 16

[grid]
rank = [1, 2]

[published]
source = "the author"
tolerance = 100

[[published.rows]]
at = {{ rank = 2 }}
score = 100
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_release_free_memory", lambda: None)
    folder = own_folder(tmp_path, monkeypatch)
    (folder / "made.csv").write_text("width,height,depth,kind\n" + ROWS)
    declare(folder)
    return folder


def declare(folder, seeds=1, epochs=1):
    path = folder / "ranks.toml"
    path.write_text(DECLARATION.format(seeds=seeds, epochs=epochs))
    return path


def lasting(folder):
    """Return the records by run, without what depends on the clock, the memory and the grouping."""
    passing = ("seconds", "peak_bytes", "side_by_side")
    return {
        record["run"]: {name: value for name, value in record.items() if name not in passing}
        for record in Folder(folder).records()
    }


# What it does --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_program_makes_a_sweep_and_prints_its_tables(here):
    command = [*program(), "sweep", "ranks.toml", "--workers", "2"]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env=environment(PYTHONIOENCODING="utf-8"),
        check=True,
    )
    out = here / "deepreservoir-results" / "ranks"
    assert set(files_below(out)) == {"sweep.json", "records.jsonl"}
    assert done.stdout.startswith(summary_table(Folder(out)))
    assert "source: the author" in done.stdout
    assert "≥ 0.00 | yes" in done.stdout
    assert done.stdout.splitlines()[-1] == "Wrote deepreservoir-results/ranks"
    assert done.stderr == ""
    run_sweep("ranks.toml", here / "again")
    assert lasting(out) == lasting(here / "again")


def test_what_is_done_is_not_done_again(here, capsys):
    assert run("sweep", "ranks.toml", "--out", "a/b") == 0
    kept = (here / "a" / "b" / "records.jsonl").read_bytes()
    first = capsys.readouterr().out
    assert run("sweep", "ranks.toml", "--out", "a/b") == 0
    assert capsys.readouterr().out == first
    assert (here / "a" / "b" / "records.jsonl").read_bytes() == kept


def try_rates(path, rates):
    """Change a declaration so that SGD is run at these learning rates."""
    grid = f'rank = [1, 2]\noptimizer = ["sgd"]\nlearning_rate_init = {rates}'
    text = path.read_text().replace("rank = [1, 2]", grid)
    path.write_text(text.replace("r = 1\n", "r = 5\n"))


def test_runs_that_failed_are_told_and_do_not_end_the_sweep(here, capsys):
    try_rates(here / "ranks.toml", "[1e-3, 1e30]")
    assert run("sweep", "ranks.toml", "--out", "o") == 0
    out = capsys.readouterr().out
    assert "0 (1 failed)" in out
    assert "note: adapter at rank 1, optimizer sgd, learning_rate_init 1e+30: Training" in out


def test_a_sweep_whose_adapters_all_failed_ends_with_an_error(here, capsys):
    try_rates(here / "ranks.toml", "[1e30]")
    assert run("sweep", "ranks.toml", "--out", "o") == 1
    shown = capsys.readouterr()
    assert "Wrote o" in shown.out
    assert "runs of adapters failed, the first with: TrainingDiverged" in shown.err


# What it refuses -----------------------------------------------------------------------


def refusal(capsys, *arguments):
    """Run a command that must be refused; return its one message."""
    assert run("sweep", *arguments) != 0
    shown = capsys.readouterr()
    assert shown.out == ""
    (message,) = [line for line in shown.err.splitlines() if line.startswith("Error: ")]
    assert shown.err.splitlines()[-1] == message
    return message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rank = [1, 2]", "rnk = [1, 2]"), ["ranks.toml", "'rnk'", "rank"]),
        (("rank = [1, 2]", "rank = [1, 2, 99]"), ["rank = 99", "3"]),
        (("[grid]", "[grid"), ["ranks.toml", "not a TOML file"]),
        (("made.csv", "nope.csv"), ["nope.csv"]),
        (('"kind"', '"sort"'), ["'sort'", "width, height"]),
        (("rank = 2 }", "rank = 3 }"), ["rank = 3", "published"]),
        (("max_iter = 1", 'max_iter = "x"'), ["max_iter"]),
    ],
)
def test_a_wrong_declaration_is_one_message_and_leaves_no_folder(capsys, here, change, words):
    text = (here / "ranks.toml").read_text()
    assert change[0] in text
    (here / "ranks.toml").write_text(text.replace(*change))
    message = refusal(capsys, "ranks.toml", "--out", "o")
    assert [word for word in words if word not in message] == []
    assert not (here / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["DECLARATION"]),
        (("nope.toml",), ["nope.toml"]),
        ((".",), ["directory"]),
        (("ranks.toml", "--workers", 0), ["--workers", "0"]),
        (("ranks.toml", "--workers", "many"), ["--workers", "many"]),
        (("ranks.toml", "--workers", 2, "--scheduler", "tcp://a:1"), ["--workers", "--scheduler"]),
        (("ranks.toml", "--out", "made.csv"), ["--out", "made.csv"]),
        (("ranks.toml", "--out", "made.csv/o"), ["made.csv"]),
        (("ranks.toml", "--out", "."), ["not results of a sweep"]),
        (("ranks.toml", "--nope"), ["--nope"]),
        (("ranks.toml", "more"), ["more"]),
    ],
)
def test_wrong_input_is_one_message(capsys, here, arguments, words):
    before = files_below(here)
    message = refusal(capsys, *arguments)
    assert [word for word in words if word not in message] == []
    assert files_below(here) == before


def test_a_folder_of_another_sweep_is_one_message_and_untouched(capsys, here):
    Folder(here / "o", read_sweep(declare(here, seeds=2)))
    before = (here / "o" / "sweep.json").read_bytes()
    declare(here)
    assert "another sweep (ranks)" in refusal(capsys, "ranks.toml", "--out", "o")
    assert (here / "o" / "sweep.json").read_bytes() == before
    assert files_below(here / "o") == ["records.jsonl", "sweep.json"]
    assert (here / "o" / "records.jsonl").read_bytes() == b""


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_is_not_there_is_one_message(capsys, here, monkeypatch, address):
    pytest.importorskip("distributed")
    monkeypatch.setattr(clusters, "_SECONDS", 0.5)
    assert address in refusal(capsys, "ranks.toml", "--scheduler", address, "--out", "o")
    assert not (here / "o").exists()


def test_without_dask_the_message_says_what_to_install(capsys, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = refusal(capsys, "ranks.toml", "--scheduler", "tcp://127.0.0.1:1", "--out", "o")
    assert "pip install 'deepreservoir[dask]'" in message
    assert not (here / "o").exists()


def test_a_full_disk_is_one_message(capsys, here, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        message = refusal(capsys, "ranks.toml", "--out", "o")
        assert "--out o cannot be written to: no space left on device" in message
    assert not (here / "o").exists()
    # A disk that is full only after it was checked:
    monkeypatch.setattr("deepreservoir.cli.sweep.check_folder", lambda folder: None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "sweep.json: No space left on device" in refusal(capsys, "ranks.toml", "--out", "o")
    Folder(here / "o", read_sweep(here / "ranks.toml"))
    monkeypatch.setattr(os, "fsync", full)
    assert run("sweep", "ranks.toml", "--out", "o") == 1
    shown = capsys.readouterr()
    assert "records.jsonl: No space left on device; start the sweep again to continue" in shown.err
    assert shown.out.startswith("| arm ")  # the runs that were recorded


# Stopped -------------------------------------------------------------------------------


def test_ctrl_c_says_where_the_finished_runs_are_and_how_to_continue(here, capsys, monkeypatch):
    append = Folder.append

    def last(folder, records):
        append(folder, records)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "append", last)
        assert run("sweep", "ranks.toml", "--out", "o") != 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Interrupted: the finished runs are in o; run the same command again" in shown.err
    kept = lasting(here / "o")
    assert run("sweep", "ranks.toml", "--out", "o") == 0
    whole = lasting(run_sweep("ranks.toml", here / "whole").path)
    assert 0 < len(kept) < len(whole)
    assert lasting(here / "o") == whole


LONG = {"seeds": 12, "epochs": 20}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The records of the long sweep, made without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "made.csv").write_text("width,height,depth,kind\n" + ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(resources, "_release_free_memory", lambda: None)
        run_sweep(declare(folder, **LONG), folder / "whole")
    return lasting(folder / "whole")


def stopped(here, number, *arguments):
    """Start the program on a terminal of its own; send a signal to all of its processes once some
    runs are recorded. Return (exit status, what it showed).
    """
    import termios

    command = [*program(), "sweep", "ranks.toml", "--out", str(here / "out"), *arguments]
    ours, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))  # a bar is not drawn in no columns
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=terminal,
        encoding="utf-8",
        env=environment(),
        start_new_session=True,
        # Where the tests run in the background, Ctrl-C may be switched off for all they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as started:
        os.close(terminal)
        shown = ""
        try:
            while not re.search(r"\b[1-9]\d*/\d+ ", shown):
                shown += os.read(ours, 4096).decode(errors="replace")
            if number == signal.SIGKILL:  # as the system kills: one process
                started.kill()
            else:  # as a terminal sends Ctrl-C: to all
                os.killpg(started.pid, number)
            started.communicate(timeout=30)  # all that it started have closed it
            shown += rest(ours)
        finally:
            if started.poll() is None:
                started.kill()
            os.close(ours)
    return started.returncode, shown


def rest(terminal):
    """Read what a terminal still holds, though a process may keep it open."""
    os.set_blocking(terminal, False)
    parts = []
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals and a terminal, as on POSIX")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_was_stopped_goes_on_to_the_same_records(here, number, workers, whole):
    declaration = declare(here, **LONG)
    status, shown = stopped(here, number, "--workers", str(workers))
    assert status != 0
    if number == signal.SIGINT:
        assert "Traceback" not in shown
        message = r"Interrupted: the finished runs are in \S+out; run"
        assert re.search(message, shown.replace("\r\n", ""))
    kept = lasting(here / "out")
    runs = runs_of(read_sweep(declaration))
    assert 0 < len(kept) < len(runs)
    run_sweep(declaration, here / "out")
    assert lasting(here / "out") == whole
    assert len(lasting(here / "out")) == len(runs)
    assert json.loads((here / "out" / "sweep.json").read_text())["sweep"]["name"] == "ranks"
