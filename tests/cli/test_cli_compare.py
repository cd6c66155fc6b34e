"""`deepreservoir compare` on good input: what it prints and writes, as a program too."""

import json
import subprocess
import sys

import pytest
from cli_tools import environment, files_below, own_folder, program, run

import deepreservoir
from deepreservoir import compare
from deepreservoir.cli import main

ROWS = "".join(f"{i},{i % 3},{i * 0.5}\n" for i in range(40))
MADE = {"results.json", "table.md"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    return own_folder(tmp_path, monkeypatch)


@pytest.fixture
def table_file(here):
    path = here / "made.csv"
    path.write_text("length,kind,price\n" + ROWS)
    return path


def test_the_program_compares_digits_and_keeps_what_the_library_finds(here):
    out = here / "out"
    command = [*program(), "compare", "digits", "--ranks", "1", "--seeds", "1"]
    command += ["--arms", "adapter,linear", "--device", "cpu", "--out", str(out)]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env=environment(PYTHONIOENCODING="utf-8"),
        check=True,
    )
    document = json.loads((out / "results.json").read_text())
    assert document["complete"] is True
    assert [record["arm"] for record in document["records"]] == ["adapter", "linear"]
    # Only seconds and peaks may differ from a call of the library in this process; another
    # number of BLAS threads may move one held-out row of 360.
    here_too = compare("digits", (1,), 1, ("adapter", "linear"))
    for record, expected in zip(document["records"], here_too.records, strict=True):
        assert record["score"] == pytest.approx(expected.score, abs=1.5 / 360)
        assert record["trained"] == expected.trained
        assert record["stored_bytes"] == expected.stored_bytes
    written = files_below(out)
    assert set(written) - {"accuracy.png"} == MADE
    for name in written:
        assert str(out / name) in done.stdout
    assert done.stdout.splitlines()[0] in (out / "table.md").read_text(encoding="utf-8")
    assert done.stderr == ""


def test_the_program_says_its_version():
    done = subprocess.run(
        [*program(), "--version"], capture_output=True, text=True, env=environment(), check=True
    )
    assert deepreservoir.__version__ in done.stdout


def results(folder):
    return json.loads((folder / "results.json").read_text())


def test_results_stay_where_no_arm_applies(table_file, here, capsys):
    args = ("compare", table_file, "--target", "kind", "--seeds", 1, "--out", "o")
    assert run(*args, "--ranks", "1", "--arms", "linear") == 0
    before = {name: (here / "o" / name).read_bytes() for name in files_below(here / "o")}
    capsys.readouterr()
    assert run(*args, "--arms", "trigram") == 1
    assert "none of the arms trigram applies" in capsys.readouterr().err
    assert {name: (here / "o" / name).read_bytes() for name in files_below(here / "o")} == before


def test_no_folder_is_made_where_no_arm_applies(table_file, here, capsys):
    args = ("compare", table_file, "--target", "kind", "--arms", "echo_state", "--out", "o")
    assert run(*args) == 1
    assert "none of the arms echo_state applies" in capsys.readouterr().err
    assert not (here / "o").exists()


def test_a_table_with_classes(table_file, here):
    args = ("--ranks", "1,2", "--seeds", 1, "--arms", "adapter,linear", "--out", "o")
    assert run("compare", table_file, "--target", "kind", *args) == 0
    document = results(here / "o")
    assert document["dataset"] == "made"
    assert document["task"] == "classification"
    assert document["ranks"] == [1, 2]


def test_a_table_with_numbers(table_file, here, capsys):
    args = ("--ranks", "1", "--seeds", 2, "--arms", "linear,random_features", "--out", "o")
    assert run("compare", table_file, "--target", "price", *args) == 0
    document = results(here / "o")
    assert document["task"] == "regression"
    assert document["seeds"] == [0, 1]
    found = {record["arm"]: record["score"] for record in document["records"]}
    assert found["linear"] > 0.99  # price is half of length
    assert "ridge regression" in capsys.readouterr().out


def test_results_go_below_the_current_folder_by_name_unless_told(table_file, here):
    assert run("compare", "made.csv", "--target", "price", "--ranks", 1, "--arms", "linear") == 0
    found = files_below(here / "deepreservoir-results" / "made")
    assert set(found) - {"accuracy.png"} == MADE


def test_folders_on_the_way_to_out_are_made(table_file, here):
    args = ("--target", "price", "--ranks", 1, "--arms", "linear", "--out", "a/b/c")
    assert run("compare", "made.csv", *args) == 0
    assert set(files_below(here / "a" / "b" / "c")) >= MADE


def test_notes_are_printed(table_file, here, capsys, monkeypatch):
    monkeypatch.setattr("deepreservoir.models.MLPConfig.resized", lambda *_: None)
    args = ("--ranks", 1, "--seeds", 1, "--arms", "equal_bytes,linear", "--out", "o")
    assert run("compare", "made.csv", "--target", "price", *args) == 0
    assert "note: equal_bytes at rank 1" in capsys.readouterr().out


def test_without_matplotlib_the_picture_is_left_out_with_a_word(table_file, here, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        args = ("--target", "price", "--ranks", 1, "--arms", "linear", "--out", "o")
        assert run("compare", "made.csv", *args) == 0
    assert set(files_below(here / "o")) == MADE
    assert "matplotlib" in capsys.readouterr().out


@pytest.mark.slow
def test_a_reader_that_stops_listening_does_not_cost_the_results(table_file, here):
    command = [*program(), "compare", "made.csv", "--target", "price", "--out", "o"]
    command += ["--ranks", "1", "--seeds", "1", "--arms", "linear"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=here
    ) as started:
        started.stdout.close()  # as `| head` does
        started.stderr.read()
        started.wait(60)
    assert set(files_below(here / "o")) >= MADE


# Help ------------------------------------------------------------------------


@pytest.mark.parametrize("command", sorted(main.modules))
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_of_every_command_has_an_example(command, option, capsys):
    assert run(command, option) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith(f"deepreservoir {command}") for line in lines)


def test_the_help_names_every_command(capsys):
    expected = {"compare", "fit", "forecast", "generate", "inspect", "predict", "rank", "report"}
    assert set(main.modules) == expected | {"scaffold", "sweep"}
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in main.modules)
    for name, (module, text) in main.modules.items():
        command = main.get_command(None, name)
        assert command.callback.__module__ == module
        assert command.get_short_help_str(limit=200) == text


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("nonsense",), ()])
def test_help_does_not_wait_for_heavy_packages(arguments):
    code = (
        "import sys\n"
        "from deepreservoir.cli import main\n"
        "try: main(sys.argv[1:], prog_name='deepreservoir')\n"
        "except SystemExit: print(*sys.modules, sep=chr(10))"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert "click" in imported
    assert not imported & {"sklearn", "scipy", "pandas", "matplotlib", "numba", "joblib"}


MODULE = """
from dataclasses import dataclass
from deepreservoir import DeepReservoirClassifier, register_estimator

@register_estimator
@dataclass(eq=False, repr=False)
class OwnClassifier(DeepReservoirClassifier):
    pass
"""


@pytest.mark.parametrize("command", ["compare", "rank"])
def test_networks_of_a_class_in_the_current_folder(here, command):
    (here / "own_networks.py").write_text(MODULE)
    options = {
        "compare": ("--seeds", "1", "--arms", "adapter"),
        "rank": ("--seeds", "1", "--folds", "2", "--eps", "9"),
    }[command]
    named = ("--ranks", "1", "--estimator", "own_networks:OwnClassifier")
    done = subprocess.run(
        [sys.executable, "-m", "deepreservoir", command, "digits", *named, *options],
        capture_output=True,
        encoding="utf-8",
        env=environment(PYTHONIOENCODING="utf-8"),
    )
    assert done.returncode == 0, done.stderr
    assert "adapter on a frozen scaffold" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "digits", "--estimator", "no_such:Thing"), "cannot be imported"),
        (("compare", "digits", "--estimator", "Best"), "estimator must be one of"),
        (("compare", "digits", "--estimator", "DeepReservoirRegressor"), "does not support"),
        (("compare", "lorenz63", "--estimator", "ViTClassifier"), "does not apply to lorenz63"),
        (("rank", "digits", "--estimator", "DeepReservoirRegressor"), "does not support"),
    ],
)
def test_a_class_that_does_not_suit_is_refused_before_any_folder(here, capsys, arguments, message):
    assert run(*arguments) in (1, 2)
    assert message in capsys.readouterr().err
    assert files_below(here) == []
