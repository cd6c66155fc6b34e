"""Wrong input on the command line: one clear message, a status that is not zero, no traceback."""

import os
import subprocess

import pooch
import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir import TrainingDiverged
from deepreservoir.experiments.comparisons import arms

ROWS = "1,a\n2,b\n" * 5
QUICK = ("--ranks", "1", "--seeds", "1", "--arms", "linear")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    return own_folder(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def _untrained(monkeypatch):
    """Fail where training is reached: all of these are refused before."""

    def reached(self, model):
        raise AssertionError("training was reached")

    monkeypatch.setattr(arms.Task, "fit", reached)


def refusal(capsys, *arguments: object) -> str:
    """Run a command that must be refused; return its one message."""
    assert run(*arguments) != 0
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    messages = [line for line in lines if line.startswith("Error: ")]
    assert len(messages) == 1
    assert lines[-1] == messages[0]  # click's two lines of usage at most come before it
    assert all(line.startswith(("Usage:", "Try ")) or not line for line in lines[:-1])
    assert len(messages[0]) > len("Error: ")
    return messages[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("nope",), ["nope", "digits", "mnist", "CSV"], id="unknown data set"),
        pytest.param(("nope.csv", "--target", "y"), ["nope.csv"], id="no such file"),
        pytest.param(("table.csv",), ["--target", "table.csv"], id="no target"),
        pytest.param(("digits", "--target", "y"), ["--target", "digits"], id="target too many"),
        pytest.param(("table.csv", "--target", "z"), ["'z'", "x, y"], id="unknown target"),
        pytest.param((".", "--target", "z"), ["CSV"], id="a folder"),
        pytest.param(("digits", "--ranks", "0"), ["between 1 and 64", "got 0"], id="rank 0"),
        pytest.param(("digits", "--ranks", "a"), ["--ranks", "'a'"], id="rank a"),
        pytest.param(("digits", "--ranks", "1,,2"), ["--ranks", "'1,,2'"], id="ranks 1,,2"),
        pytest.param(("digits", "--ranks", ""), ["--ranks"], id="no ranks"),
        pytest.param(("digits", "--ranks", "1.5"), ["--ranks", "'1.5'"], id="rank 1.5"),
        pytest.param(("digits", "--ranks", "1,99999"), ["64", "got 99999"], id="rank 99999"),
        pytest.param(("digits", "--arms", "nope"), ["nope", "adapter"], id="unknown arm"),
        pytest.param(("digits", "--arms", "full,"), ["arms", "''"], id="an arm of no name"),
        pytest.param(("digits", "--arms", ""), ["arms"], id="no arms"),
        pytest.param(
            ("table.csv", "--target", "y", "--columns", ""),
            ["--columns", "expected names such as a,b", "got ''"],
            id="no columns",
        ),
        pytest.param(("digits", "--seeds", "0"), ["--seeds", "0"], id="no seeds"),
        pytest.param(("digits", "--seeds", "-1"), ["--seeds", "-1"], id="negative seeds"),
        pytest.param(("digits", "--seeds", "a"), ["--seeds", "a"], id="seeds a"),
        pytest.param(("digits", "--device", "tpu"), ["--device", "tpu"], id="unknown device"),
        pytest.param(("digits", "--out", "table.csv"), ["--out", "table.csv"], id="out a file"),
        pytest.param(("digits", "--out", "table.csv/o"), ["table.csv"], id="out below a file"),
        pytest.param(("digits", "--nope"), ["--nope"], id="unknown option"),
        pytest.param(("digits", "more"), ["more"], id="an argument too many"),
    ],
)
def test_compare_refuses_in_one_message(capsys, here, arguments, words):
    (here / "table.csv").write_text("x,y\n" + ROWS)
    message = refusal(capsys, "compare", *arguments)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", ["header"], id="empty"),
        pytest.param(b"x,y\n1,a\n,b\n", ["row 3", "'x'"], id="empty cell"),
        pytest.param(b"x,y\n1,a\n2\n", ["row 3", "got 1"], id="ragged row"),
        pytest.param(b"y,y\n1,a\n", ["more than once", "'y'"], id="duplicate column"),
        pytest.param(b"y\n1\n2\n", ["beside"], id="one column"),
        pytest.param(b"x,y\n1,a\n", ["2 rows"], id="one row"),
        pytest.param(b"x,y\n\xff,a\n", ["UTF-8"], id="not UTF-8"),
        pytest.param(b"x,y\nnan,a\n2,a\n3,b\n4,b\n", ["row 2", "'x'", "missing"], id="a NaN"),
        pytest.param(b"x,y\ninf,a\n2,a\n3,b\n4,b\n", ["row 2", "'x'", "finite"], id="infinite"),
        pytest.param(
            b"x,y\n" + b"1" * 200_000 + b",a\n2,b\n",
            ["table.csv"],
            id="a long cell",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_message(capsys, here, content, words):
    (here / "table.csv").write_bytes(content)
    message = refusal(capsys, "compare", "table.csv", "--target", "y", *QUICK)
    assert [word for word in words if word not in message] == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or not os.geteuid(), reason="root may write all")
def test_an_out_that_cannot_be_written_to_is_refused(capsys, here):
    (here / "closed").mkdir(mode=0o500)
    for out in ("closed", "closed/below"):
        assert "closed" in refusal(capsys, "compare", "digits", "--out", out)


def test_an_out_that_access_denies_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    message = refusal(capsys, "compare", "digits", "--out", "o")
    assert "--out o" in message


def test_a_full_disk_is_one_message(capsys, monkeypatch):
    def fail(*args, **given):
        raise OSError(28, "No space left on device", "results.json")

    monkeypatch.setattr("deepreservoir.cli.compare.compare", fail)
    message = refusal(capsys, "compare", "digits", "--out", "o")
    assert "results.json" in message
    assert "No space left" in message


def test_training_that_diverged_is_one_message(capsys, monkeypatch):
    def fail(*args, **given):
        raise TrainingDiverged("the loss is not finite; lower learning_rate_init")

    monkeypatch.setattr("deepreservoir.cli.compare.compare", fail)
    assert "lower learning_rate_init" in refusal(capsys, "compare", "digits", "--out", "o")


def test_too_little_memory_is_one_message(capsys, monkeypatch):
    def fail(*args, **given):
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.setattr("deepreservoir.cli.compare.compare", fail)
    assert "not enough memory" in refusal(capsys, "compare", "digits", "--out", "o")


def test_data_that_is_not_here_is_one_message(capsys, monkeypatch, tmp_path):
    def refuse(*args, **given):
        raise ConnectionError("no network")

    monkeypatch.delenv("DEEPRESERVOIR_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    monkeypatch.setattr(pooch, "retrieve", refuse)
    message = refusal(capsys, "compare", "mnist", *QUICK)
    assert "train-images-idx3-ubyte.gz" in message
    assert "DEEPRESERVOIR_DATA" in message


def test_a_refused_command_leaves_no_folder(capsys, here):
    refusal(capsys, "compare", "digits", "--ranks", "0", "--out", "o")
    assert list(here.iterdir()) == []


def test_an_os_error_without_a_number_keeps_its_words(capsys, monkeypatch):
    def fail(*args, **given):
        raise OSError("the words")

    monkeypatch.setattr("deepreservoir.cli.compare.compare", fail)
    assert "the words" in refusal(capsys, "compare", "digits", "--out", "o")


# scaffold --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param((), ["--shape"], id="no shape"),
        *(
            pytest.param(("--shape", shape), ["--shape", repr(shape)], id=f"shape {shape!r}")
            for shape in ("3", "3x", "x3", "0x4", "4x0", "axb", "3x4x5", "-3x4", "3.5x4", "", "²x2")
        ),
        pytest.param(("--shape", "99999999x99999999"), ["limit", "weights"], id="huge shape"),
        pytest.param(("--shape", "4x4", "--scale", "-1"), ["scale", "-1"], id="scale -1"),
        pytest.param(("--shape", "4x4", "--scale", "0"), ["scale", "0"], id="scale 0"),
        pytest.param(("--shape", "4x4", "--scale", "nan"), ["scale", "nan"], id="scale nan"),
        pytest.param(("--shape", "4x4", "--scale", "1e99"), ["scale", "1e+99"], id="scale 1e99"),
        pytest.param(("--shape", "4x4", "--scale", "a"), ["gain", "'a'"], id="scale a"),
        pytest.param(("--shape", "4x4", "--family", "nope"), ["nope", "normal"], id="family"),
        pytest.param(("--shape", "4x4", "--storage", "nope"), ["nope", "packed"], id="storage"),
        pytest.param(("--shape", "4x4", "--seed", "-1"), ["--seed", "-1"], id="seed"),
        pytest.param(
            ("--shape", "4x4", "--family", "orthogonal", "--storage", "packed"),
            ["packed", "orthogonal", "dense"],
            id="orthogonal, packed",
        ),
        pytest.param(
            ("--shape", "4x4", "--family", "hadamard", "--storage", "dense"),
            ["dense", "hadamard", "structured"],
            id="hadamard, dense",
        ),
        pytest.param(
            ("--shape", "4x4", "--storage", "structured"),
            ["structured", "normal"],
            id="normal, structured",
        ),
    ],
)
def test_scaffold_refuses_in_one_message(capsys, arguments, words):
    message = refusal(capsys, "scaffold", *arguments)
    assert [word for word in words if word not in message] == []


def test_an_unknown_command_is_refused(capsys):
    assert "'nope'" in refusal(capsys, "nope")


def test_the_program_too_refuses_without_a_traceback(here):
    done = subprocess.run(
        [*program(), "compare", "digits", "--ranks", "0"],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ranks")
    assert len(done.stderr.splitlines()) == 1
    assert files_below(here) == []
