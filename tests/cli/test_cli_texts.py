"""``fit`` and ``predict`` with texts in a table."""

import csv

import numpy as np
import pytest
from cli_tools import own_folder, run

from deepreservoir import TextTransformerClassifier, load

pytest.importorskip("tokenizers")
pytestmark = [
    pytest.mark.host(reason="files are read on the host"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

TEXTS = ["a fine film", 'a "dull" film,\nand long', "fine!", "dull, dull"] * 10
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "fine", "dull", "film", "and", "long"]
FIT = ["fit", "r.csv", "--text", "review", "--target", "label", "--save", "m", "--epochs", "4"]
FIT += ["--rank", "1", "--vocabulary", "vocab.txt", "--max-length", "9", "--batch-size", "16"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    with (folder / "r.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "review", "label", "stars"])
        for i, text in enumerate(TEXTS):
            writer.writerow([f"r{i}", text, ["good", "bad"][i % 2], i / 7])
    return folder


def test_a_model_of_texts_is_fitted_compared_and_predicts(here, capsys):
    assert run(*FIT) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("accuracy ")
    assert " on 8 held-out texts (most frequent class: 0.5000; " in shown[0]
    assert "logistic regression on TF-IDF of words: 1.0000)" in shown[0]
    assert shown[-1] == f"Wrote m, {(here / 'm').stat().st_size:,} bytes"
    model = load(here / "m")
    assert isinstance(model, TextTransformerClassifier)
    assert (model.rank, model.max_iter, model.max_length) == (1, 4, 9)
    expected = model.predict(TEXTS).tolist()

    assert run("predict", "m", "r.csv") == 0
    assert capsys.readouterr().out.splitlines() == ["label", *expected]
    (here / "new.csv").write_text("review;note\n" + "".join(f"{t};\n" for t in TEXTS[2:4]))
    arguments = ("--proba", "--keep", "review", "--delimiter", ";", "--out", "out.csv")
    assert run("predict", "m", "new.csv", *arguments) == 0
    with (here / "out.csv").open() as file:
        found = list(csv.reader(file))
    assert found[0] == ["review", "label", "label=bad", "label=good"]
    assert [row[:2] for row in found[1:]] == [
        list(pair) for pair in zip(TEXTS[2:4], expected[2:4], strict=False)
    ]
    proba = model.predict_proba(TEXTS[2:4])
    np.testing.assert_allclose(np.array([row[2:] for row in found[1:]], float), proba, rtol=1e-5)
    capsys.readouterr()
    assert run("inspect", "m", "--check") == 0
    assert "TextTransformerClassifier" in capsys.readouterr().out
    (here / "bad.csv").write_text("review\nfine\n \n")
    assert run("predict", "m", "bad.csv") == 1
    assert "bad.csv, row 3, column 'review': the text is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            [*FIT, "--estimator", "perceptron"],
            "--text is for --estimator text_transformer, not for perceptron",
        ),
        ([*FIT[:2], *FIT[4:]], "--vocabulary is for --estimator text_transformer"),
        (
            [*FIT[:2], *FIT[4:], "--estimator", "text_transformer"],
            "--estimator text_transformer needs --text COLUMN",
        ),
        ([*FIT, "--layers", "8"], "are for --estimator perceptron"),
        ([*FIT, "--drop", "stars"], "are for --estimator perceptron"),
        ([*FIT, "--id", "name"], "--id is for series: add --estimator cfc"),
        ([*FIT, "--smiles", "name"], "--smiles is for --estimator gin, not for text_transformer"),
        ([*FIT[:3], "words", *FIT[4:]], "has no column 'words'; it has name, review"),
        ([*FIT[:5], "review", *FIT[6:]], "text and target must be different columns"),
        ([*FIT[:5], "stars", *FIT[6:]], "column 'stars': texts are classified"),
        ([*FIT, "--vocabulary", "r.csv"], "a vocabulary has one token on each line"),
        ([*FIT, "--max-length", "2"], "--max-length must be at least 3"),
    ],
)
def test_refusals(here, capsys, arguments, words):
    assert run(*arguments) in (1, 2)
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (here / "m").exists()
