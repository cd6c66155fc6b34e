"""``deepreservoir fit``, ``predict`` and ``inspect`` through the real entry point."""

import csv
import gzip
import os
import subprocess
import warnings

import numpy as np
import pandas as pd
import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir import (
    CfCClassifier,
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    EchoStateRegressor,
    GINRegressor,
    PlainCNNClassifier,
    ViTClassifier,
    container,
    load,
    save,
)
from deepreservoir.cli.models import DEFAULTS_OF


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    rng = np.random.default_rng(0)
    sizes, rooms = rng.uniform(20, 200, 200), rng.integers(1, 6, 200)
    kinds = np.array(["flat", "house", "hut"])[np.arange(200) % 3]
    prices = 3 * sizes + 10 * rooms + np.array([0, 100, -20])[np.arange(200) % 3]
    rows = zip(sizes.round(2), kinds, rooms, prices.round(2), strict=True)
    write(folder / "homes.csv", ["size", "kind", "rooms", "price"], rows)
    return folder


def write(path, header, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


FIT = ("fit", "homes.csv", "--epochs", "200", "--layers", "32")


def test_a_table_becomes_a_file_that_predicts_others(here, capsys):
    assert run(*FIT, "--target", "price", "--save", "m.safetensors") == 0
    told = capsys.readouterr().out
    assert "R^2 0.9" in told
    assert "40 held-out rows" in told
    assert f"Wrote m.safetensors, {(here / 'm.safetensors').stat().st_size:,} bytes" in told
    # Columns in another order, more of them, no target: the rows are the same.
    table = pd.read_csv("homes.csv")
    table[["rooms", "kind", "size"]].assign(street="x").to_csv("new.csv", index=False)
    assert run("predict", "m.safetensors", "new.csv") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "price"
    found = np.array(printed[1:], float)
    assert np.corrcoef(found, table["price"])[0, 1] > 0.97
    words = {"flat": [1, 0, 0], "house": [0, 1, 0], "hut": [0, 0, 1]}
    columns = zip(table["size"], table["kind"], table["rooms"], strict=True)
    X = [[size, *words[kind], rooms] for size, kind, rooms in columns]
    np.testing.assert_array_equal(found, load("m.safetensors").predict(np.array(X, float)))
    assert run("predict", "m.safetensors", "new.csv", "--out", "p.csv") == 0
    assert (here / "p.csv").read_text().split() == printed
    assert files_below(here) == ["homes.csv", "m.safetensors", "new.csv", "p.csv"]


def test_words_are_classes_and_sixteen_bits_are_accounted_for(here, capsys):
    command = (*FIT, "--target", "kind", "--save", "m.st", "--precision", "float16", "--rank", "2")
    assert run(*command) == 0
    assert "accuracy" in capsys.readouterr().out
    assert run("predict", "m.st", "homes.csv") == 0
    lines = capsys.readouterr().out.split()
    assert lines[0] == "kind"
    assert set(lines[1:]) <= {"flat", "house", "hut"}
    assert run("inspect", "m.st", "--check") == 0
    told = capsys.readouterr().out
    contents, model = container.read("m.st"), load("m.st")[-1]
    cost = contents.document["precision"]
    for part in (
        "model      DeepReservoirClassifier",
        "after      StandardScaler",
        "layers     3-32-3",
        "adapter    lora, rank 2",
        "predicts   kind from size, rooms, price",
        "classes    flat, house, hut",
        f"{model.n_trained_params_:,} parameters in the file, "
        f"{model.n_scaffold_params_:,} frozen weights",
        "layers.0 A (float16)",
        f"score {cost['score']:.6g} before, {cost['score_rounded']:.6g} after, on 40 rows",
        f"beta {model.betas_['layers.0']:.4f}, SHA-256 {model.network_.digests()['layers.0']}",
        "checked    the frozen weights drawn on this machine",
    ):
        assert part in told


def test_models_saved_by_programs_are_read_too(here, capsys):
    X = np.random.default_rng(0).normal(size=(60, 3))
    frame = pd.DataFrame(X, columns=["u", "v", "w"])
    named = DeepReservoirClassifier((8,), max_iter=2, random_state=0).fit(frame, X[:, 0] > 0)
    save(named, "named.st")
    frame[["w", "u", "v"]].to_csv("x.csv", index=False)
    assert run("predict", "named.st", "x.csv") == 0
    assert capsys.readouterr().out.split() == ["prediction", *map(str, named.predict(frame))]
    echo = EchoStateRegressor(20, random_state=0).fit(X, X)
    save(echo, "echo.st")
    write(here / "y.csv", ["a", "b", "c"], X)
    assert run("predict", "echo.st", "y.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "prediction.0,prediction.1,prediction.2"
    np.testing.assert_allclose([list(map(float, r.split(","))) for r in lines[1:]], echo.predict(X))
    assert run("inspect", "echo.st") == 0
    assert "reservoir    20 random\n" in capsys.readouterr().out


def test_a_first_row_of_numbers_is_not_dropped_without_a_word(here, capsys):
    X = np.random.default_rng(0).normal(size=(40, 2))
    save(DeepReservoirRegressor((4,), max_iter=1, random_state=0).fit(X, X[:, 0]), "m.st")
    np.savetxt("rows.csv", X, delimiter=",")
    words = r"first row of rows\.csv, .* has only numbers .*; if it is data: --no-header"
    with pytest.warns(UserWarning, match=words):
        assert run("predict", "m.st", "rows.csv") == 0
    assert len(capsys.readouterr().out.split()) == 1 + 39
    frame = pd.DataFrame(X, columns=["0", "1"])
    save(DeepReservoirRegressor((4,), max_iter=1).fit(frame, X[:, 0]), "named.st")
    frame.to_csv("named.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run("predict", "named.st", "named.csv") == 0
        capsys.readouterr()
        for option, rows in (("--no-header", 40), ("--header", 39)):
            assert run("predict", "m.st", "rows.csv", option) == 0
            assert len(capsys.readouterr().out.split()) == 1 + rows


def test_a_checkpoint_is_gone_when_training_has_ended(here):
    assert run(*FIT, "--target", "price", "--save", "m.st", "--checkpoint", "c.st") == 0
    assert files_below(here) == ["homes.csv", "m.st"]


REFUSED = [
    ((*FIT, "--target", "nope", "--save", "m.st"), "homes.csv has no column 'nope'; it has size"),
    ((*FIT, "--target", "price"), "Missing option '--save'"),
    ((*FIT, "--target", "price", "--save", "homes.csv"), "homes.csv is an input"),
    ((*FIT, "--target", "price", "--save", "no/m.st"), "is not a writable folder"),
    ((*FIT, "--target", "price", "--save", "m.st", "--rank", "33"), "rank must be between 1 and"),
    ((*FIT, "--target", "price", "--save", "m.st", "--layers", "0"), "--layers[0] must"),
    ((*FIT, "--target", "price", "--save", "m.st", "--layers", "a"), "expected whole numbers"),
    (("fit", "none.csv", "--target", "x", "--save", "m.st"), "does not exist"),
    (
        ("predict", "homes.csv", "homes.csv"),
        "homes.csv: not a safetensors file, and so not",
    ),
    (("inspect", "homes.csv.gz"), "it is compressed with gzip"),
    (("predict", "ok.st", "short.csv"), "short.csv has no column 'rooms', which the model needs"),
    (("predict", "ok.st", "words.csv"), "row 3, column 'size': expected a number, got 'big'"),
    (("predict", "ok.st", "homes.csv", "--out", "ok.st"), "ok.st is an input"),
    (("predict", "ok.st", "homes.csv", "--out", "homes.csv"), "homes.csv is an input"),
    (("predict", "ok.st", "homes.csv", "--device", "cuda"), "--device cuda is not available"),
    (("inspect", "homes.csv"), "not a safetensors file"),
    (("inspect", "cut.st"), "cut.st: "),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_wrong_input_gets_an_answer_and_leaves_nothing(arguments, message, here, capsys):
    if arguments[1].endswith(".st"):
        assert run(*FIT, "--target", "price", "--save", "ok.st") == 0
        data = (here / "ok.st").read_bytes()
        (here / "cut.st").write_bytes(data[: len(data) // 2])
    write(here / "short.csv", ["size", "kind"], [[1, "hut"]])
    write(here / "words.csv", ["size", "kind", "rooms"], [[1, "hut", 1], ["big", "hut", 2]])
    (here / "homes.csv.gz").write_bytes(gzip.compress((here / "homes.csv").read_bytes()))
    before = {name: (here / name).read_bytes() for name in files_below(here)}
    capsys.readouterr()
    assert run(*arguments) != 0
    assert message in " ".join(capsys.readouterr().err.split())
    assert {name: (here / name).read_bytes() for name in files_below(here)} == before


@pytest.mark.slow
def test_the_installed_command_has_no_traceback(here):
    command = [*program(), "inspect", "homes.csv"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here, env=environment())
    assert done.returncode == 1
    assert done.stderr.startswith("Error: homes.csv: ")
    assert "Traceback" not in done.stderr


def test_the_defaults_in_the_help_are_those_of_the_estimators(capsys):
    for cls in (CfCClassifier, GINRegressor, PlainCNNClassifier, ViTClassifier):
        for name in ("max_iter", "batch_size", "learning_rate_init", "weight_decay"):
            assert getattr(cls, name) == getattr(DEFAULTS_OF["others"], name)
    assert run("fit", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[default: 150 for tables, 10 for texts, 200 for others]" in text
    assert "[default: 0.005 for tables, 0.001 for texts, 0.003 for others]" in text
    assert "[default: 128,64]" in text


def test_messages_name_options_and_not_parameters(here, capsys):
    with pytest.warns(UserWarning, match="Maximum iterations"):
        assert run(*FIT[:2], "--epochs", "2", "--target", "price", "--save", "m") == 0
    args = ("--target", "price", "--save", "m", "--learning-rate", "1e9")
    assert run("fit", "homes.csv", *args) == 1
    assert "lower --learning-rate (now 1e+09" in capsys.readouterr().err
    done = subprocess.run(
        [*program(), *FIT[:2], "--epochs", "2", "--target", "price", "--save", "m"],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert "Increase --epochs, or --learning-rate" in done.stderr


def test_the_ranks_in_use_are_described(here, capsys):
    assert run(*FIT, "--target", "price", "--save", "m") == 0
    assert run("inspect", "m") == 0
    assert "lora, rank auto: 5" in capsys.readouterr().out  # 5 features
    assert run(*FIT, "--target", "price", "--save", "m", "--rank", "2") == 0
    assert run("inspect", "m") == 0
    assert "lora, rank 2\n" in capsys.readouterr().out


def test_strings_of_a_file_cannot_change_what_a_terminal_shows(here, capsys):
    X = np.random.default_rng(0).normal(size=(60, 3))
    names = np.array(["a\x1b[2J", "b\ntrained    1 parameters", "c\u202e"])
    model = DeepReservoirClassifier((8,), max_iter=2, random_state=0).fit(
        X, names[np.arange(60) % 3]
    )
    contents = container.read(save(model, "m"))
    contents.document["versions"] = {"numpy\r": "\ud800"}
    contents.tensors["x\x07.y"] = contents.tensors["head.bias"]
    container.write("m", contents)
    assert run("inspect", "m") == 0
    told = capsys.readouterr().out
    assert all(line.isprintable() for line in told.split("\n"))
    assert r"a\x1b[2J, b\ntrained    1 parameters, c\u202e" in told
    assert r"numpy\r \ud800" in told
    assert r"x\x07 y (float32)" in told


def test_messages_with_names_from_a_table_are_printable(here, capsys):
    (here / "odd.csv").write_text("a\x1b[2J,b\n1,2\n3,4\n")
    assert run("fit", "odd.csv", "--target", "c", "--save", "m") == 1
    assert r"it has a\x1b[2J, b" in capsys.readouterr().err


def test_a_closed_pipe_ends_the_program_without_words(here):
    assert run(*FIT, "--target", "price", "--save", "m") == 0
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*program(), "predict", "m", "homes.csv"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    os.close(writer)
    assert done.stderr == ""
