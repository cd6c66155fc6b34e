"""``deepreservoir predict`` and ``inspect`` with pipelines that select columns by name."""

import numpy as np
import pandas as pd
import pytest
from cli_tools import own_folder, run
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, load, save

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "size": RNG.normal(60, 20, 40).round(1),
        "kind": RNG.choice(["flat", "house, small", 'a "loft"'], 40),
        "rooms": RNG.integers(1, 5, 40),
        "garden": RNG.random(40) < 0.5,
        "id": [f"#{i}" for i in range(40)],
    }
)
SOLD = RNG.choice(["yes", "no"], 40)


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
        (OneHotEncoder(handle_unknown="ignore"), ["kind", "rooms", "garden"]),
        ("drop", ["id"]),
    )
    model = make_pipeline(columns, DeepReservoirClassifier((8,), max_iter=2, random_state=0))
    save(model.fit(ROWS, SOLD), folder / "m.st")
    ROWS.to_csv("rows.csv", index=False)
    return folder


def test_columns_are_selected_by_name(here, capsys):
    wanted = list(load("m.st").predict(ROWS))
    assert run("predict", "m.st", "rows.csv") == 0
    assert capsys.readouterr().out.split() == ["prediction", *wanted]
    # Columns that are dropped or unknown may be missing or there, in any order.
    other = ROWS[["rooms", "kind", "garden", "size"]].assign(price=3)
    other.to_csv("other.csv", index=False)
    assert run("predict", "m.st", "other.csv", "--out", "p.csv") == 0
    assert (here / "p.csv").read_text().split() == ["prediction", *wanted]
    assert run("inspect", "m.st") == 0
    assert "after      ColumnTransformer" in capsys.readouterr().out


def test_a_pipeline_may_begin_with_an_encoder(here, capsys):
    model = make_pipeline(
        OrdinalEncoder(), DeepReservoirRegressor((4,), max_iter=1, random_state=0)
    )
    rows = ROWS[["kind", "rooms"]]
    save(model.fit(rows, ROWS["size"]), "encoder.st")
    assert run("predict", "encoder.st", "rows.csv") == 0
    found = [float(line) for line in capsys.readouterr().out.split()[1:]]
    np.testing.assert_array_equal(found, model.predict(rows))


def test_a_table_without_a_column_is_refused(here, capsys):
    ROWS.drop(columns="kind").to_csv("short.csv", index=False)
    assert run("predict", "m.st", "short.csv", "--out", "p.csv") == 1
    assert "short.csv has no column 'kind', which the model needs" in capsys.readouterr().err
    assert not (here / "p.csv").exists()


@pytest.mark.usefixtures("here")
def test_without_pandas_there_is_a_remedy(capsys, monkeypatch):
    monkeypatch.setattr("deepreservoir.experiments.tables.frame.find_spec", lambda name: None)
    assert run("predict", "m.st", "rows.csv") == 1
    assert "pip install pandas" in capsys.readouterr().err
