"""``fit`` and ``predict`` with molecules in a table."""

import csv
import gzip

import numpy as np
import pytest
from cli_tools import own_folder, run

from deepreservoir import GINClassifier, GINRegressor, load
from deepreservoir.datasets import ATOM_CATEGORIES, BOND_CATEGORIES, read_smiles

pytest.importorskip("rdkit")
pytestmark = pytest.mark.host(reason="files are read on the host")

SMILES = ["C" * (1 + i % 7) + ("O" if i % 2 else "N") + "C" * (i % 3) for i in range(30)]
FIT = ["fit", "m.csv", "--smiles", "smiles", "--target", "active", "--save", "m", "--epochs", "6"]
FIT += ["--rank", "2", "--learning-rate", "0.01"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    rows = [f"m{i},{text},{i % 2},{len(text) / 2}" for i, text in enumerate(SMILES)]
    (folder / "m.csv").write_text("\n".join(["name,smiles,active,size", *rows]) + "\n")
    return folder


def test_a_model_of_molecules_is_fitted_and_predicts(here, capsys):
    assert run(*FIT) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("accuracy ")
    assert "area under the ROC curve" in shown[0]
    assert shown[0].endswith(" on 6 held-out molecules")
    assert shown[-1] == f"Wrote m, {(here / 'm').stat().st_size:,} bytes"
    model = load(here / "m")
    assert isinstance(model, GINClassifier)
    assert (model.rank, model.max_iter) == (2, 6)
    assert model.node_categories == ATOM_CATEGORIES
    assert model.edge_categories == BOND_CATEGORIES
    expected = model.predict(read_smiles(SMILES)).tolist()

    assert run("predict", "m", "m.csv") == 0
    assert capsys.readouterr().out.splitlines() == ["active", *expected]
    (here / "new.csv").write_text("smiles;note\n" + "".join(f"{s};\n" for s in SMILES[:3]))
    arguments = ("--proba", "--keep", "smiles", "--delimiter", ";", "--out", "out.csv")
    assert run("predict", "m", "new.csv", *arguments) == 0
    with (here / "out.csv").open() as file:
        found = list(csv.reader(file))
    assert found[0] == ["smiles", "active", "active=0", "active=1"]
    assert [row[:2] for row in found[1:]] == [
        [text, label] for text, label in zip(SMILES[:3], expected[:3], strict=True)
    ]
    proba = model.predict_proba(read_smiles(SMILES[:3]))
    np.testing.assert_allclose(np.array([row[2:] for row in found[1:]], float), proba)
    capsys.readouterr()
    assert run("inspect", "m", "--check") == 0
    assert "GINClassifier" in capsys.readouterr().out


def test_numbers_in_a_compressed_table(here, capsys):
    (here / "m.csv.gz").write_bytes(gzip.compress((here / "m.csv").read_bytes()))
    arguments = ["fit", "m.csv.gz", *FIT[2:], "--estimator", "gin", "--precision", "float16"]
    arguments[arguments.index("active")] = "size"
    (here / "m.csv.gz").write_bytes(
        gzip.compress((here / "m.csv").read_bytes().replace(b"1.0\n", b"1.25\n"))
    )
    assert run(*arguments) == 0
    assert capsys.readouterr().out.startswith("R^2 ")
    assert isinstance(load(here / "m"), GINRegressor)
    assert run("predict", "m", "m.csv", "--proba") == 1
    assert "predicts numbers, which have no probabilities" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*FIT, "--estimator", "cfc"], "--estimator cfc needs --id COLUMN"),
        (
            [*FIT, "--estimator", "perceptron"],
            "--smiles is for --estimator gin, not for perceptron",
        ),
        ([*FIT[:2], *FIT[4:], "--estimator", "gin"], "--estimator gin needs --smiles COLUMN"),
        ([*FIT, "--layers", "8"], "--layers is for --estimator perceptron"),
        ([*FIT, "--drop", "size"], "are for --estimator perceptron"),
        ([*FIT, "--id", "name"], "--id is for series: add --estimator cfc"),
        ([*FIT[:3], "structure", *FIT[4:]], "has no column 'structure'; it has name, smiles"),
        ([*FIT[:5], "died", *FIT[6:]], "has no column 'died'; it has name, smiles"),
        ([*FIT[:5], "smiles", *FIT[6:]], "smiles and target must be different columns"),
    ],
)
def test_refusals(here, capsys, arguments, words):
    assert run(*arguments) in (1, 2)
    assert words in capsys.readouterr().err
    assert not (here / "m").exists()


@pytest.mark.parametrize("text", ["C1CC", "", "not a molecule"])
def test_a_molecule_that_cannot_be_read_is_named(here, capsys, text):
    lines = (here / "m.csv").read_text().splitlines()
    lines[9] = f"m8,{text},0,1"
    (here / "bad.csv").write_text("\n".join(lines) + "\n")
    assert run("fit", "bad.csv", *FIT[2:]) == 1
    message = capsys.readouterr().err
    assert "bad.csv, row 10, column 'smiles': must be the SMILES of a molecule" in message
    assert f"RDKit cannot read {text!r}. Correct it, or remove the row" in message
    assert not (here / "m").exists()
    assert run(*FIT) == 0
    capsys.readouterr()
    assert run("predict", "m", "bad.csv") == 1
    assert "bad.csv, row 10, column 'smiles'" in capsys.readouterr().err


def test_targets_are_needed_in_every_row_of_fit_alone(here, capsys):
    text = (here / "m.csv").read_text().replace(f"m3,{SMILES[3]},1,", f"m3,{SMILES[3]},,")
    (here / "m.csv").write_text(text)
    assert run(*FIT) == 1
    assert "m.csv, row 5, column 'active': the target is empty" in capsys.readouterr().err


def test_without_rdkit_the_extra_is_named(here, capsys, monkeypatch):
    assert run(*FIT) == 0
    monkeypatch.setattr("deepreservoir.cli.base.find_spec", lambda name: None)
    for arguments in (FIT, ("predict", "m", "m.csv")):
        assert run(*arguments) == 1
        assert "pip install 'deepreservoir[molecules]'" in capsys.readouterr().err
    monkeypatch.setattr("deepreservoir.datasets.molecules.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'deepreservoir\[molecules\]'"):
        read_smiles(["C"])
