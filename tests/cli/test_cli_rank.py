"""``deepreservoir rank`` through the real entry point."""

import json
import subprocess

import numpy as np
import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir import RankSearch
from deepreservoir.datasets import load_dataset, read_table
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.tables.rank_table import rank_table

QUICK = Protocol(hidden_layer_sizes=(16,), max_iter=6)
ONCE = ("--seeds", "1", "--folds", "2")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5))
    y = 1000 * (X[:, 0] - 2 * X[:, 1] * X[:, 2]) + 50_000
    np.savetxt("t.csv", np.c_[X, y], delimiter=",", header="a,b,c,d,e,y", comments="")
    return folder


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(
        "deepreservoir.experiments.tables.rank_table.protocol_for", lambda name, kind=None: QUICK
    )


@pytest.fixture
def untrained(monkeypatch):
    def reached(*args, **kwargs):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.estimators.base.prepared_fit.train", reached)


def table_rows(out):
    lines = [line for line in out.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return cells[0], cells[2:]


def assert_only_columns(told):
    """Assert that nothing but the summary of the table's columns is in the standard error."""
    first, target, *features = told.splitlines()
    assert first == "120 rows, 5 features from 5 columns:"
    assert target.startswith("  y  target: number, ")
    assert [line.split(maxsplit=2)[:2] for line in features] == [[n, "number,"] for n in "abcde"]


@pytest.mark.usefixtures("quick")
def test_the_curve_the_answer_and_the_readings_are_printed(here, capsys):
    command = ("rank", "digits", "--ranks", "1,4,16", "--eps", "0.3", *ONCE, "--out", "r.json")
    assert run(*command) == 0
    out = capsys.readouterr().out
    found = rank_table(load_dataset("digits"), 0.3, (1, 4, 16), seeds=1, folds=2, protocol=QUICK)
    head, rows = table_rows(out)
    assert head[1:5] == ["rank", "loss", "above full", "95 % interval"]
    assert [row[1] for row in rows] == [*(str(row.rank) for row in found.rows), ""]
    assert [row[5] for row in rows] == [f"{r.trained:,}" for r in (*found.rows, found.baseline)]
    assert rows[-1][0] == "fully trained"
    assert f"Rank {found.rank} is sufficient for eps 0.3" in out
    assert f"{found.chosen.trained:,} trained parameters instead of 1,210" in out
    assert "components explain 95 % of the variance" in out
    assert "on 360 rows" in out
    assert "subspace" not in out
    document = json.loads((here / "r.json").read_text())
    assert document["rank"] == found.rank
    assert document["reached"] is True
    assert document["losses"] == found.losses
    assert len(document["losses"]["full"]) == 2
    assert document["versions"]["deepreservoir"]
    assert files_below(here) == ["r.json", "t.csv"]


@pytest.mark.usefixtures("quick")
def test_the_loss_of_numbers_is_in_units_of_their_variance(capsys):
    """A target in thousands has the curve of the same target standardised."""
    assert run("rank", "t.csv", "--target", "y", "--eps", "2", "--ranks", "2", *ONCE) == 0
    _, rows = table_rows(capsys.readouterr().out)
    data = read_table("t.csv", "y")
    model_losses = [float(row[2].split()[0]) for row in rows]
    assert all(0.05 < loss < 5 for loss in model_losses)
    found = rank_table(data, 2, (2,), seeds=1, folds=2, protocol=QUICK)
    assert model_losses[0] == pytest.approx(found.chosen.loss, abs=1e-4)
    assert -1 <= found.score <= 1


@pytest.mark.usefixtures("quick")
def test_no_rank_is_enough_and_that_is_the_answer(capsys, monkeypatch):
    monkeypatch.setattr(RankSearch, "_is_enough", lambda *given: False)
    assert run("rank", "t.csv", "--target", "y", "--ranks", "1,2", *ONCE) == 0
    shown = capsys.readouterr()
    assert "None of the tested ranks is sufficient for eps 0.01. The best is rank " in shown.out
    assert_only_columns(shown.err)


@pytest.mark.usefixtures("quick")
def test_the_subspace_dimension_is_told_on_demand(here, capsys):
    command = ("rank", "t.csv", "--target", "y", "--ranks", "1", *ONCE, "--subspace", "--eps", "9")
    assert run(*command, "--out", "r.json") == 0
    document = json.loads((here / "r.json").read_text())
    assert document["with_subspace"] is True
    d = document["subspace_dimension"]
    dimension = "no dimension up to 113" if d is None else f"dimension {d:,} of 113"
    assert f"subspace  {dimension} reaches 90 %" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "start"), [("p.png", b"\x89PNG"), ("p.SVG", b"<?xml"), ("ranks.png", b"\x89PNG")]
)
def test_the_picture_is_where_it_was_asked_for(here, name, start, capsys):
    pytest.importorskip("matplotlib")
    command = ("rank", "t.csv", "--target", "y", "--ranks", "1,2", "--eps", "9", *ONCE)
    named = () if name == "ranks.png" else (name,)  # which is where it goes without a name
    assert run(*command, "--plot", *named) == 0
    assert (here / name).read_bytes().startswith(start)
    assert f"Wrote {name}" in capsys.readouterr().out
    assert files_below(here) == sorted([name, "t.csv"])


REFUSED = [
    (("nope",), ["nope", "digits", "mnist", "CSV"]),
    (("t.csv",), ["--target", "t.csv"]),
    (("digits", "--target", "y"), ["--target", "digits"]),
    (("t.csv", "--target", "z"), ["'z'", "a, b, c, d, e, y"]),
    (("digits", "--eps", "-1"), ["eps must be a finite number of at least 0; got -1.0"]),
    (("digits", "--eps", "nan"), ["eps must be a finite number of at least 0"]),
    (("digits", "--eps", "x"), ["--eps", "'x'"]),
    (("digits", "--ranks", "0"), ["between 1 and 64", "got 0"]),
    (("digits", "--ranks", "1,99"), ["between 1 and 64", "hidden layer 0 (64 -> 256)", "got 99"]),
    (("digits", "--ranks", "a"), ["--ranks", "'a'"]),
    (("digits", "--seeds", "0"), ["--seeds", "0"]),
    (("digits", "--folds", "1"), ["--folds", "1"]),
    (
        ("digits", "--folds", "140"),
        ["Error: 140 folds need at least 140 rows", "Lower --folds"],
    ),
    (("digits", "--plot", "p.gif"), [".png", "p.gif"]),
    (("digits", "--plot", "no/p.png"), ["not a writable folder"]),
    (("digits", "--out", "no/r.json"), ["not a writable folder"]),
    (("digits", "--plot", "a.png", "--out", "a.png"), ["--plot and --out are the same file"]),
    (("t.csv", "--target", "y", "--out", "t.csv"), ["t.csv is an input"]),
    ((), ["DATASET"]),
]


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=lambda v: " ".join(v)[:40])
def test_wrong_input_gets_one_message_before_any_training(arguments, words, here, capsys):
    assert run("rank", *arguments) != 0
    shown = capsys.readouterr()
    assert shown.out == ""
    (message,) = [line for line in shown.err.splitlines() if line.startswith("Error: ")]
    assert [word for word in words if word not in message] == []
    assert files_below(here) == ["t.csv"]


@pytest.mark.usefixtures("quick")
def test_ctrl_c_leaves_what_was_there_and_nothing_half_written(here, monkeypatch, capsys):
    command = ("rank", "t.csv", "--target", "y", "--ranks", "1", "--eps", "9", *ONCE)
    command += ("--out", "r.json", "--plot", "p.png")
    (here / "r.json").write_text("older")
    from deepreservoir.losses import SquaredError

    original, calls = SquaredError.__call__, []

    def interrupted(self, *given):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return original(self, *given)

    monkeypatch.setattr(SquaredError, "__call__", interrupted)
    assert run(*command) != 0
    assert len(calls) == 9
    assert files_below(here) == ["r.json", "t.csv"]
    assert (here / "r.json").read_text() == "older"
    assert "|" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_program_finds_a_rank_of_a_table(here):
    command = [*program(), "rank", "t.csv", "--target", "y", "--eps", "5", "--ranks", "1", *ONCE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Rank 1 is sufficient for eps 5" in done.stdout
    assert_only_columns(done.stderr)
