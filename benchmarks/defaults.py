"""The estimators' defaults on small tables, against those of scikit-learn's own estimators."""

from __future__ import annotations

import csv
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import sklearn.datasets
from scipy.stats import rankdata
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor
from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.datasets.idx import ENVIRONMENT

FOLDS, REPEATS = 5, 3
MOST_ROWS = 1_000

ROLES = ("chosen on", "consulted", "held out")

#: The names of the four models, in the order of the tables.
MODELS = ("deepreservoir", "mlp", "linear", "boosting")

_TARGET_RANK, _TARGET_GAP = 1.7, -0.02


@dataclass(frozen=True)
class Table:
    """A table of the benchmark.

    Attributes
    ----------
    name : str
        Name of the CSV file without a header whose last column is the target, of scikit-learn's
        data set, or of the generator.
    task : {"classification", "regression"}
    source : {"csv", "sklearn", "generated"}
    role : {"chosen on", "consulted", "held out"}
        Whether the defaults were chosen by the ranks on this table, or its scores were at least
        looked at while choosing, or it was only run afterwards.
    """

    name: str
    task: str
    source: str = "csv"
    role: str = "held out"


def _tables() -> Iterator[Table]:
    for name in (
        *("haberman", "pima-indians-diabetes", "sonar", "ionosphere", "glass", "wheat-seeds"),
        *("banknote_authentication", "ecoli", "german"),
    ):
        yield Table(name, "classification", role="chosen on")
    for name in ("housing", "auto-insurance", "winequality-red"):
        yield Table(name, "regression", role="chosen on")
    yield Table("abalone", "regression", role="consulted")
    yield Table("iris", "classification", "sklearn", "consulted")
    yield Table("diabetes", "regression", "sklearn", "consulted")
    for name in ("friedman1", "sine", "almost_noise"):
        yield Table(name, "regression", "generated", "consulted")
    yield Table("almost_noise_labels", "classification", "generated", "consulted")
    for name in ("breast-cancer", "oil-spill", "phoneme"):
        yield Table(name, "classification")
    for name in ("wine", "breast_cancer", "digits"):
        yield Table(name, "classification", "sklearn")
    yield Table("circles", "classification", "generated")


TABLES = tuple(_tables())


def rows_of(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the features as a table of objects (n, d) and the target (n,), at most 1,000 rows.

    Raises
    ------
    DatasetUnavailable
        If the CSV file is in none of the folders that are searched for data sets.
    """
    if table.source == "generated":
        X, y = _generated(table.name)
    elif table.source == "sklearn":
        X, y = getattr(sklearn.datasets, f"load_{table.name}")(return_X_y=True)
    else:
        X, y = _csv(table.name)
    rows = np.arange(len(y))
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS]
    y = y[rows]
    if table.task == "classification":
        y = np.unique(y.astype(str), return_inverse=True)[1]
    return X[rows].astype(object), y.astype(float if table.task == "regression" else int)


def _csv(name: str) -> tuple[np.ndarray, np.ndarray]:
    folder = os.environ.get(ENVIRONMENT)
    path = Path(folder or ".") / "tables" / f"{name}.csv"
    if folder is None or not path.is_file():
        raise DatasetUnavailable(
            f"the table {name} is not at {path}; set {ENVIRONMENT} to a folder with "
            f"tables/{name}.csv"
        )
    with path.open(newline="") as file:
        cells = np.array(list(csv.reader(file)), dtype=object)
    return cells[:, :-1], cells[:, -1]


def _generated(name: str) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    if name == "friedman1":
        return sklearn.datasets.make_friedman1(500, 10, noise=1.0, random_state=0)
    if name == "circles":
        return sklearn.datasets.make_circles(300, noise=0.1, factor=0.5, random_state=0)
    if name == "sine":
        x = generator.uniform(-1.5, 1.5, (300, 1))
        return x, np.sin(3 * x[:, 0]) + 0.1 * generator.standard_normal(300)
    X = generator.standard_normal((300, 10))
    y = 0.2 * X[:, 0] + generator.standard_normal(300)
    return X, y if name == "almost_noise" else y > 0


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def encoder(X: np.ndarray) -> tuple[ColumnTransformer, np.ndarray]:
    """Return an unfitted encoder and the cells that it encodes; a "?" is missing.

    Columns of numbers are standardised, columns of words are one-hot encoded; missing values are
    replaced by the median and by the most frequent word.
    """
    cells = X.copy()
    numbers, words = [], []
    for j in range(X.shape[1]):
        missing = np.array([cell in ("?", "") for cell in X[:, j]])
        values = np.array([_number(cell) for cell in X[:, j]])
        if np.isfinite(values[~missing]).all():
            numbers.append(j)
            cells[:, j] = values
        else:
            words.append(j)
            cells[missing, j] = np.nan
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    filled = SimpleImputer(strategy="most_frequent")
    coded = make_pipeline(filled, OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    return ColumnTransformer([("numbers", scaled, numbers), ("words", coded, words)]), cells


def models(task: str, seed: int) -> dict[str, Any]:
    """Return the four unfitted models, each with its own defaults, by name."""
    if task == "classification":
        made: tuple[Any, ...] = (
            DeepReservoirClassifier(random_state=seed),
            MLPClassifier(random_state=seed),
            LogisticRegression(),
            HistGradientBoostingClassifier(random_state=seed),
        )
    else:
        made = (
            DeepReservoirRegressor(random_state=seed),
            MLPRegressor(random_state=seed),
            Ridge(),
            HistGradientBoostingRegressor(random_state=seed),
        )
    return dict(zip(MODELS, made, strict=True))


class Found(NamedTuple):
    """What the four models reach on the folds of a table, by model.

    Attributes
    ----------
    scores : dict of str to list of float
        Accuracy, or R^2.
    log_losses : dict of str to list of float
        Of the class probabilities; empty lists for a regression.
    """

    scores: dict[str, list[float]]
    log_losses: dict[str, list[float]]


def log_loss_of(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Return the log loss of a fitted classifier on the samples of the classes that it knows."""
    known = np.isin(y, model.classes_)
    return float(log_loss(y[known], model.predict_proba(X[known]), labels=model.classes_))


def scores(table: Table) -> Found:
    """Return what the four models reach on all folds."""
    X, y = rows_of(table)
    labelled = table.task == "classification"
    kind: Any = RepeatedStratifiedKFold if labelled else RepeatedKFold
    folds = kind(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
    made, cells = encoder(X)
    found = Found({name: [] for name in MODELS}, {name: [] for name in MODELS})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # defaults are compared as they are
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer members than folds
        for i, (train, test) in enumerate(folds.split(cells, y)):
            trained_on = made.fit_transform(cells[train])
            held_out = made.transform(cells[test])
            for name, model in models(table.task, i).items():
                model.fit(trained_on, y[train])
                found.scores[name].append(float(model.score(held_out, y[test])))
                if labelled:
                    found.log_losses[name].append(log_loss_of(model, held_out, y[test]))
    return found


def ranks(by_model: dict[str, float]) -> dict[str, float]:
    """Return the rank of each model, 1 for the best; equal scores share a rank."""
    values = rankdata([-by_model[name] for name in MODELS])
    return dict(zip(MODELS, map(float, values), strict=True))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean ranks, log losses, and the largest distance below the linear model."""
    gaps = {row["name"]: row["means"]["deepreservoir"] - row["means"]["linear"] for row in rows}
    lowest = min(gaps, key=lambda name: gaps[name])
    classified = [row for row in rows if row["log_losses"]]
    return {
        "tables": len(rows),
        "mean_ranks": {name: fmean(row["ranks"][name] for row in rows) for name in MODELS},
        "classified": len(classified),
        "mean_log_losses": {
            name: fmean(row["log_losses"][name] for row in classified)
            for name in MODELS
            if classified
        },
        "target_rank": _TARGET_RANK,
        "lowest_against_linear": {"table": lowest, "difference": gaps[lowest]},
        "target_difference": _TARGET_GAP,
    }


def run(folder: Path, report: Callable[[str], None]) -> dict[str, Any]:
    """Run all tables, or those that an interrupted run has left, and return the figures.

    Each table's record is appended to ``defaults.partial.jsonl`` in `folder` when it is finished.
    The file is removed by the caller, when the figures have been stored.
    """
    path = partial_path(folder)
    params = {
        kind.__name__: {k: repr(v) for k, v in kind().get_params().items()}
        for kind in (DeepReservoirClassifier, DeepReservoirRegressor)
    }
    done = _finished(path, params)
    rows = []
    for table in TABLES:
        row = done.get(table.name)
        if row is None:
            found = scores(table)
            means = {name: fmean(values) for name, values in found.scores.items()}
            row = asdict(table) | {
                "means": means,
                "spreads": {name: stdev(values) for name, values in found.scores.items()},
                "ranks": ranks(means),
                "log_losses": {
                    k: fmean(values) for k, values in found.log_losses.items() if values
                },
            }
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(json.dumps({"params": params, "row": row}) + "\n")
        rows.append(row)
        values = "  ".join(f"{name} {row['means'][name]:.4f}" for name in MODELS)
        report(f"{table.name:24} {values}  rank {row['ranks']['deepreservoir']:g}")
    return {
        "folds": FOLDS,
        "repeats": REPEATS,
        "params": params,
        "rows": rows,
        "summaries": {
            role: summary([row for row in rows if row["role"] == role])
            for role in ROLES
            if any(row["role"] == role for row in rows)
        },
    }


def partial_path(folder: Path) -> Path:
    """Return the path of the records of a run that is not finished."""
    return folder / "defaults.partial.jsonl"


def _finished(path: Path, params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the records of an interrupted run with the same defaults, by table."""
    if not path.is_file():
        return {}
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {r["row"]["name"]: r["row"] for r in records if r["params"] == params}
