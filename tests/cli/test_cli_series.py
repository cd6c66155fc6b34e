"""``fit`` and ``predict`` with series in a long table."""

import numpy as np
import pytest
from cli_tools import own_folder, run

from deepreservoir import load

pytestmark = pytest.mark.host(reason="files are read on the host")

FIT = [
    "fit",
    "long.csv",
    "--estimator",
    "cfc",
    "--id",
    "who",
    "--time",
    "t",
    "--target",
    "kind",
    "--save",
    "m",
    "--epochs",
    "4",
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    random = np.random.default_rng(0)
    rows = ["who,t,pulse,note,kind"]
    for i in range(20):
        for t in range(3):
            pulse = "" if t == 1 else f"{60 + 40 * (i % 2) + random.normal():.2f}"
            rows.append(f"p{i},{t},{pulse},{t},{'ab'[i % 2]}")
    (folder / "long.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_model_of_series_is_fitted_and_predicts(here, capsys):
    assert run(*FIT, "--channels", "pulse", "--rank", "2") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("accuracy ")
    assert shown[0].endswith(" on 4 held-out series")
    assert shown[-1] == f"Wrote m, {(here / 'm').stat().st_size:,} bytes"
    model = load(here / "m")
    assert model.feature_names_in_.tolist() == ["pulse"]
    assert model.rank == 2
    assert run("predict", "m", "long.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "who,kind"
    assert [line.split(",")[0] for line in lines[1:]] == [f"p{i}" for i in range(20)]
    assert {line.split(",")[1] for line in lines[1:]} <= {"a", "b"}
    for options in (("--keep", "t"), ("--no-header",), ("--delimiter", ";"), ("--skip-broken",)):
        assert run("predict", "m", "long.csv", *options) == 2
        assert options[0] in capsys.readouterr().err
    assert run("predict", "m", "long.csv", "--out", "out.csv") == 0
    assert (here / "out.csv").read_text().splitlines() == lines
    assert run("inspect", "m", "--check") == 0
    assert "CfCClassifier" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (FIT[:4] + FIT[6:], "--estimator cfc needs --id COLUMN"),
        ([*FIT[:2], *FIT[4:]], "--id is for series: add --estimator cfc"),
        ([*FIT, "--layers", "8"], "--layers, --bias and --no-bias are for --estimator perceptron"),
        ([*FIT, "--columns", "pulse"], "are for --estimator perceptron"),
        ([*FIT, "--channels", "weight"], "has no column 'weight'; it has who, t, pulse"),
    ],
)
def test_refusals(here, capsys, arguments, words):
    assert run(*arguments) in (1, 2)
    assert words in capsys.readouterr().err
    assert not (here / "m").exists()


def test_a_cell_that_is_no_number_is_named(here, capsys):
    text = (here / "long.csv").read_text().replace("p3,0,", "p3,0,high", 1)
    (here / "long.csv").write_text(text)
    assert run(*FIT) == 1
    assert "column 'pulse': expected a finite number" in capsys.readouterr().err
