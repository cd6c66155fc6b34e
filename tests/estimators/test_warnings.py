"""Warnings point at the user's line, whatever calls the estimator for the user."""

import ast
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import deepreservoir
from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    RankSearch,
    SeedGatedClassifier,
    subspace_dimension,
)
from deepreservoir.training.run import Run
from deepreservoir.user_warnings import warn_user

pytestmark = pytest.mark.host(reason="lines are those of the source")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 2


def small(kind=DeepReservoirClassifier, **params):
    return kind((6,), rank=1, max_iter=2, random_state=0, **params)


@pytest.fixture
def interrupted(monkeypatch):
    """Interrupt every training, as Ctrl-C does, in its first epoch."""

    def take(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "take", take)


def places(call, match):
    """Call something; return the files of the warnings, and the text of their lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    found = [one for one in caught if match in str(one.message)]
    assert found
    return {Path(one.filename) for one in found}, {
        Path(one.filename).read_text().splitlines()[one.lineno - 1].strip() for one in found
    }


def assert_here(call, match, line):
    files, lines = places(call, match)
    assert files == {Path(__file__)}
    assert lines == {line}


def fit(model, *args, **named):
    return model.fit(*args, **named)


FIT = "return model.fit(*args, **named)"


@pytest.mark.parametrize("kind", [DeepReservoirClassifier, DeepReservoirRegressor])
def test_an_estimator(interrupted, kind):
    assert_here(lambda: fit(small(kind), X, Y), "training was interrupted", FIT)


def test_partial_fit(interrupted):
    assert_here(
        lambda: small().partial_fit(X, Y, classes=[0, 1]),
        "training was interrupted",
        "lambda: small().partial_fit(X, Y, classes=[0, 1]),",
    )


def test_a_seed_gated_classifier(interrupted):
    task = np.array(["a", "b"])[Y]
    model = small(SeedGatedClassifier)
    assert_here(lambda: fit(model, X, Y, task=task), "tasks with one class: 'a', 'b'", FIT)
    assert_here(lambda: fit(model, X, Y, task=task), "training was interrupted", FIT)


def test_a_pipeline(interrupted):
    model = make_pipeline(StandardScaler(), small())
    assert_here(lambda: fit(model, X, Y), "training was interrupted", FIT)


def test_a_grid_search(interrupted):
    search = GridSearchCV(make_pipeline(small()), {}, cv=2, n_jobs=1)
    assert_here(lambda: fit(search, X, Y), "training was interrupted", FIT)


def test_a_rank_search():
    search = RankSearch(
        small(),
        ranks=(1,),
        cv=2,
        n_seeds=1,
        refit=False,
        scoring=lambda model, X, y: float(model.adapter == "full"),
    )
    assert_here(lambda: fit(search, X, Y), "none of the ranks 1 reaches", FIT)


def test_a_subspace_dimension():
    model = small(DeepReservoirRegressor)
    noise = np.random.default_rng(4).normal(size=60)

    def find():
        return subspace_dimension(model, X, noise, random_state=0)

    assert_here(
        find,
        "no subspace dimension was found: the fully trained network scores",
        "return subspace_dimension(model, X, noise, random_state=0)",
    )


def test_a_thread(interrupted):
    def start():
        thread = threading.Thread(target=fit, args=(small(), X, Y))
        thread.start()
        thread.join()

    assert_here(start, "training was interrupted", FIT)


def test_where_there_is_no_line_of_the_user_the_outermost_one_is_pointed_at(interrupted):
    def start():
        thread = threading.Thread(target=small().fit, args=(X, Y))
        thread.start()
        thread.join()

    files, _ = places(start, "training was interrupted")
    assert files == {Path(threading.__file__)}


def test_a_folder_beside_the_package_is_the_users(monkeypatch):
    beside = f"{Path(deepreservoir.__file__).parent}_tools/own.py"
    code = compile("warn('said')", beside, "exec")
    with pytest.warns(UserWarning, match="said") as caught:
        exec(code, {"warn": warn_user, "__name__": "own"})
    assert caught[0].filename == beside


def test_every_warning_of_the_package_goes_by_one_function():
    for path in Path(deepreservoir.__file__).parent.rglob("*.py"):
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        warned = [call for call in calls if ast.unparse(call.func) == "warnings.warn"]
        assert len(warned) == (path.name == "user_warnings.py"), path


# Features that are not scaled ---------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_column_of_large_numbers_is_named(form):
    wide = X.copy()
    wide[:, 2] += 1e6
    words = "column 2 of X has values of about 1e+06"
    assert_here(lambda: fit(small(), form(wide), Y), words, FIT)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "column")
        small().fit(form(X), Y)
        make_pipeline(StandardScaler(), small()).fit(wide, Y)
        small().fit(np.zeros_like(X), Y)


def test_only_the_first_fit_of_a_model_that_continues_warns():
    model, wide = small(warm_start=True), X * [1e30, 1, 1, 1]
    with pytest.warns(UserWarning, match="column 0 of X has values of more than 1e19"):
        model.fit(wide, Y)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "column 0")
        model.fit(wide, Y)
