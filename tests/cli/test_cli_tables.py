"""Difficult tables through the real entry point: what fit says of them, and what predict does."""

import csv
import gzip
import io

import numpy as np
import pytest
from cli_tools import files_below, own_folder, run

from deepreservoir import container
from deepreservoir.experiments.tables.references import Reference, sentence

QUICK = ("--epochs", "3", "--layers", "8", "--rank", "2")
NAMES = ["id", "zip", "sold", "size", "kind", "tax", "note", "flag", "price"]


def homes(n=80):
    rng = np.random.default_rng(0)
    for i in range(n):
        size, kind = rng.uniform(20, 200), ["flat", "house", "hut"][i % 3]
        price = 3000 * size + 100_000 * (i % 3)
        yield [
            str(i), f"{i % 4:03d}", f"2020-{1 + i % 12:02d}-{1 + i % 28:02d}",
            f"{size:.1f}" if i % 9 else "n/a", kind, f"{i % 30}%", f"sold by {i}", "yes",
            f"${price:,.0f}",
        ]  # fmt: skip


def text(rows, header=NAMES, delimiter=","):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows([header, *rows] if header else rows)
    return stream.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    (folder / "homes.csv").write_text(text(homes()))
    return folder


def fit(capsys, *arguments, table="homes.csv", target="price", save="m.st"):
    status = run("fit", table, "--target", target, "--save", save, *QUICK, *arguments)
    shown = capsys.readouterr()
    assert status == 0, shown.err
    return shown.out


def predict(capsys, *arguments, model="m.st"):
    status = run("predict", model, *arguments)
    shown = capsys.readouterr()
    assert status == 0, shown.err
    return list(csv.DictReader(io.StringIO(shown.out)))


def test_the_summary_says_what_every_column_was_taken_for(here, capsys):
    said = fit(capsys, "--missing", "impute").splitlines()
    assert said[0] == "80 rows, 14 features from 5 columns:"
    lines = {line.split()[0]: line for line in said[1:10]}
    for name, words in [
        ("price", "target: number with commas between thousands and the sign $"),
        ("id", "left out: an identifier"),
        ("zip", "category of 4 codes with leading zeros: 000, 001, 002, 003"),
        ("sold", "date, 2020-01-01 to 2020-12-24, 5 features"),
        ("size", "9 of 80 missing"),
        ("kind", "category of 3 values: flat, house, hut"),
        ("tax", "number with the sign %, 0 to 29"),
        ("note", "left out: an identifier or free text"),
        ("flag", "left out: the same value in every row, yes"),
    ]:
        assert words in lines[name]
    assert said[10].startswith("R^2 ")
    assert " (mean: " in said[10]
    assert "; ridge: " in said[10]


def test_what_columns_were_taken_for_travels_in_the_file(here, capsys):
    fit(capsys, "--missing", "impute")
    table = container.read("m.st").document["table"]
    assert [name for name, _ in table["columns"]] == ["zip", "sold", "size", "kind", "tax"]
    assert table["reading"]["kinds"]["sold"] == {"date": "%Y-%m-%d"}
    rows = list(homes())[:4]
    (here / "new.csv").write_text(text(rows))
    whole = predict(capsys, "new.csv")
    # A single row has the same kinds: the file decides, not the rows.
    (here / "one.csv").write_text(text(rows[1:2]))
    (one,) = predict(capsys, "one.csv")
    assert float(one["price"]) == pytest.approx(float(whole[1]["price"]))
    (here / "short.csv").write_text(text([row[1:6] for row in rows], NAMES[1:6]))
    assert predict(capsys, "short.csv") == whole


def test_a_missing_cell_is_refused_or_the_mean_as_in_fit(here, capsys):
    assert run("fit", "homes.csv", "--target", "price", "--save", "m.st", *QUICK) == 1
    message = capsys.readouterr().err
    assert "row 2, column 'size': 'n/a' stands for a missing value" in message
    assert "--missing impute" in message
    assert files_below(here) == ["homes.csv"]
    fit(capsys, "--drop", "size")
    fit(capsys, "--missing", "impute", save="i.st")
    (here / "new.csv").write_text(text([["1", "", "2020-01-01", "", "", "5%", "", "", ""]]))
    assert len(predict(capsys, "new.csv", model="i.st")) == 1
    assert run("predict", "m.st", "new.csv") == 1
    assert "row 2, column 'zip': the cell is empty; 2 cells of 2 columns" in capsys.readouterr().err
    assert len(predict(capsys, "new.csv", "--missing", "impute")) == 1


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_an_unseen_category_is_none_of_them_with_a_warning(here, capsys):
    fit(capsys, "--columns", "kind,tax")
    rows = list(homes())[:5]
    for row in rows[1:4]:
        row[4] = "tent"
    (here / "new.csv").write_text(text(rows))
    with pytest.warns(UserWarning, match=r"new.csv, column 'kind'.*the value 'tent' \(3 rows\)"):
        found = predict(capsys, "new.csv")
    assert len(found) == 5


def test_probabilities_and_kept_columns(here, capsys):
    fit(capsys, "--drop", "size", target="kind")
    found = predict(capsys, "homes.csv", "--proba", "--keep", "id,price")
    assert list(found[0]) == ["id", "price", "kind", "kind=flat", "kind=house", "kind=hut"]
    assert [row["id"] for row in found] == [str(i) for i in range(80)]
    assert found[1]["price"] == list(homes())[1][-1]
    for row in found:
        shares = {name: float(row[f"kind={name}"]) for name in ("flat", "house", "hut")}
        assert sum(shares.values()) == pytest.approx(1)
        assert max(shares, key=shares.get) == row["kind"]
    fit(capsys, "--drop", "size", save="r.st")
    for arguments, words in [
        (("r.st", "homes.csv", "--proba"), "r.st predicts numbers, which have no probabilities"),
        (("m.st", "homes.csv", "--keep", "nope"), "homes.csv has no column 'nope'"),
    ]:
        assert run("predict", *arguments) == 1
        assert words in capsys.readouterr().err


def test_options_of_the_estimator_are_passed_on_where_they_are_given(here, capsys):
    fit(capsys, "--missing", "impute")
    plain = container.read("m.st").document["params"]
    fit(
        capsys, "--missing", "impute", "--no-bias", "--early-stopping", "--batch-size", 16,
        "--learning-rate", 0.01, "--weight-decay", 0.5,
    )  # fmt: skip
    given = container.read("m.st").document["params"]
    changes = {
        "bias": False,
        "early_stopping": True,
        "batch_size": 16,
        "learning_rate_init": 0.01,
        "weight_decay": 0.5,
    }
    assert {name: given[name] for name in given if given[name] != plain[name]} == changes
    assert run("fit", "homes.csv", "--target", "price", "--save", "n.st", "--learning-rate", 0) == 1


def test_a_table_without_header_in_another_format_is_predicted_by_place(here, capsys):
    rows = [[row[3], row[4], row[5]] for row in homes() if row[3] != "n/a"]
    data = text(rows, None, ";").replace("house", "château").encode("latin-1")
    (here / "rooms.csv.gz").write_bytes(gzip.compress(data))
    form = ("--delimiter", ";", "--encoding", "latin-1")
    said = fit(capsys, "--no-header", *form, table="rooms.csv.gz", target="2")
    assert "2  target: 3 classes: château, flat, hut" in said
    whole = predict(capsys, "rooms.csv.gz", *form)
    assert set(whole[0]) == {"2"}
    without = text([[row[0], row[2]] for row in rows], None)
    (here / "new.csv").write_text(without)
    assert predict(capsys, "new.csv") == whole
    (here / "wide.csv").write_text("1,2,3,4\n")
    assert run("predict", "m.st", "wide.csv") == 1
    assert "must have 3 columns, or 2 without the target '2'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compare", "rank"])
def test_compare_and_rank_read_tables_with_the_same_options(here, command, capsys):
    arguments = [command, "homes.csv", "--target", "kind", "--ranks", 1, "--seeds", 1]
    arguments += ["--arms", "linear", "--out", "o"] if command == "compare" else ["--folds", 2]
    assert run(*arguments) == 1
    assert "--missing impute" in capsys.readouterr().err
    assert run(*arguments, "--missing", "impute", "--drop", "zip,sold,price") == 0
    told = capsys.readouterr().err
    assert "80 rows, 2 features from 2 columns:" in told
    assert run(command, "digits", "--missing", "impute") == 2
    assert "options that describe a CSV file are not for digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("simple", "linear", "n", "words"),
    [
        ((0.2, 0.01), (0.1, 0.01), 100, "better than logistic regression on the same rows"),
        ((0.2, 0.01), (-0.1, 0.01), 100, "Logistic regression is better than the model"),
        ((0.2, 0.01), (0.01, 0.02), 100, "do not tell the model and logistic regression apart"),
        ((-0.2, 0.01), (0.1, 0.01), 100, "not better than always predicting the most frequent"),
        ((-0.01, 0.02), (0.1, 0.01), 100, "not better than always predicting the most frequent"),
        ((0.01, 0.02), (0.1, 0.01), 100, "do not tell the model and always predicting the most"),
        ((0.5, 0.01), (0.5, 0.01), 5, "5 held-out rows are too few"),
        ((0.5, None), (0.5, None), 1, "1 held-out row is too few"),
    ],
)
def test_the_sentence_follows_from_paired_differences(simple, linear, n, words):
    first = Reference("most frequent class", 0.5, *simple)
    second = Reference("logistic regression", 0.6, *linear)
    assert words in sentence(first, second, n)


def test_references_are_what_scikit_learn_scores(here):
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import RidgeCV

    from deepreservoir.experiments.tables.user_table import fit_table

    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    rows = np.column_stack([X, X @ [1, 2, 3] + rng.normal(size=100)])
    (here / "t.csv").write_text(
        "a,b,c,y\n" + "\n".join(",".join(map(repr, r.tolist())) for r in rows)
    )
    made = fit_table(here / "t.csv", "y", max_iter=2, hidden_layer_sizes=(4,), rank=1)
    mean, ridge = made.references
    X_test, y_test = made.held_out
    X_train = np.array([x for x in X if not (X_test == x).all(axis=1).any()])
    y_train = np.array([r[3] for r in rows if r[3] not in y_test])
    assert mean.score == pytest.approx(DummyRegressor().fit(X_train, y_train).score(X_test, y_test))
    centred = X_train.mean(axis=0), X_train.std(axis=0)
    scaled = [(part - centred[0]) / centred[1] for part in (X_train, X_test)]
    expected = RidgeCV(tuple(10.0**k for k in range(-2, 5))).fit(scaled[0], y_train)
    assert ridge.score == pytest.approx(expected.score(scaled[1], y_test))
    for each in (mean, ridge):
        assert each.difference == pytest.approx(made.score - each.score)
