"""Ctrl-C on the command line: what was finished is kept, nothing half-written stays."""

import json
import os
import re
import signal
import subprocess
import warnings
from functools import partial

import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir.experiments.comparisons import arms, resources
from deepreservoir.training.run import Run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    return own_folder(tmp_path, monkeypatch)


@pytest.mark.skipif(os.name != "posix", reason="a terminal of its own, as on POSIX")
def test_sigint_keeps_the_runs_that_were_finished(here):
    """The program shows a bar to a terminal, which tells when a run has been finished."""
    import termios

    command = [*program(), "compare", "digits", "--ranks", "1,2", "--seeds", "100"]
    command += ["--arms", "adapter", "--device", "cpu", "--out", str(here / "out")]
    ours, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))  # a bar is not drawn in no columns
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=terminal,
        encoding="utf-8",
        env=environment(),
        # Where the tests run in the background, Ctrl-C may be switched off for all they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as started:
        os.close(terminal)
        shown = ""
        try:
            while not re.search(r"\b[1-9]\d*/200\b", shown):
                shown += os.read(ours, 4096).decode(errors="replace")
            started.send_signal(signal.SIGINT)
            shown += drain(ours)
            out = started.stdout.read()
        finally:
            if started.poll() is None:
                started.kill()
            os.close(ours)
    assert started.returncode > 0
    assert "Traceback" not in shown
    assert "Interrupted" in shown
    document = json.loads((here / "out" / "results.json").read_text())
    assert document["complete"] is False
    assert 0 < len(document["records"]) < 200
    assert {record["arm"] for record in document["records"]} == {"adapter"}
    assert "interrupted" in (here / "out" / "table.md").read_text(encoding="utf-8")
    assert set(files_below(here / "out")) <= {"results.json", "table.md", "accuracy.png"}
    assert "adapter on a frozen scaffold" in out


def drain(terminal: int) -> str:
    """Read a terminal until the program at its other end is gone."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux ends a terminal so
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


def test_ctrl_c_before_the_first_run_is_finished_writes_nothing(here, monkeypatch, capsys):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(arms, "linear", stop)
    assert run("compare", "digits", "--arms", "linear", "--ranks", 1, "--out", "o") != 0
    assert list(here.iterdir()) == []
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "kept" not in shown.err


@pytest.mark.parametrize(
    "arguments", [("digits", "--arms", "full"), ("mackey_glass", "--arms", "deep_full")]
)
def test_ctrl_c_in_training_does_not_speak_of_a_model(here, monkeypatch, arguments):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(resources, "_load_compiled_loops", lambda: None)  # trains beforehand
    monkeypatch.setattr(Run, "take", stop)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert run("compare", *arguments, "--seeds", 1, "--out", "o") != 0
    assert [str(each.message) for each in caught] == []


def test_ctrl_c_does_not_leave_an_older_comparison_half_replaced(here, monkeypatch, capsys):
    """All files are of the interrupted comparison, or all of the older one."""
    arguments = ("compare", "digits", "--arms", "linear", "--ranks", 1, "--out", "o")
    assert run(*arguments) == 0
    before = {name: (here / "o" / name).read_bytes() for name in files_below(here / "o")}

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(arms, "linear", stop)
    assert run(*arguments) != 0
    assert before == {name: (here / "o" / name).read_bytes() for name in files_below(here / "o")}


def test_incomplete_results_do_not_replace_those_of_an_earlier_comparison(
    here, monkeypatch, capsys
):
    arguments = ("compare", "digits", "--arms", "adapter,linear", "--ranks", 1, "--seeds", 1)
    assert run(*arguments, "--out", "o") == 0
    before = {name: (here / "o" / name).read_bytes() for name in files_below(here / "o")}

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(arms, "linear", stop)
    assert run(*arguments, "--out", "o") != 0
    assert (
        before.items()
        <= {name: (here / "o" / name).read_bytes() for name in files_below(here / "o")}.items()
    )
    assert run(*arguments, "--out", "o2") != 0
    assert run(*arguments, "--out", "o2") != 0  # incomplete results are replaced
    assert not (here / "o2" / "incomplete").exists()
    kept = json.loads((here / "o" / "incomplete" / "results.json").read_text())
    assert kept["complete"] is False
    assert kept["records"]
    assert "incomplete" in capsys.readouterr().out
