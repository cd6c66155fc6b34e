"""scikit-learn's own tests of its multilayer perceptron, run with our estimators in its place.

The test file is read from the installed scikit-learn; only its import of the two estimators is
changed. Parameters keep the names and the default values of scikit-learn, and are translated here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sklearn.neural_network

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor

#: scikit-learn's name -> ours, for parameters that mean the same.
NAMES = {"solver": "optimizer", "alpha": "weight_decay"}

#: scikit-learn's default values, which its tests rely on, under its names.
DEFAULTS: dict[str, Any] = {
    "hidden_layer_sizes": (100,),
    "solver": "adam",
    "alpha": 1e-4,
    "batch_size": 200,
    "learning_rate": "constant",
    "learning_rate_init": 1e-3,
}

#: What makes our network one of scikit-learn's: every weight is trained, without dropout,
#: averaging, warm-up or smoothed labels. scikit-learn computes in the type of X, in its tests
#: mostly float64.
FULL: dict[str, Any] = {
    "adapter": "full",
    "bias": True,
    "activation": "relu",
    "dropout": 0.0,
    "adapter_dropout": 0.0,
    "ema_decay": None,
    "warmup": 0.0,
    "max_iter": 200,
    "dtype": "float64",
}

_IMPORT = re.compile(r"^from sklearn\.neural_network import MLPClassifier, MLPRegressor$", re.M)


def _translated(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of ours for those of scikit-learn's multilayer perceptron."""
    params = DEFAULTS | params
    # invscaling and adaptive have no counterpart, and are refused as schedules.
    translated = {"schedule": params.pop("learning_rate")}
    translated |= {NAMES.get(name, name): value for name, value in params.items()}
    return {**FULL, **translated}


def MLPClassifier(**params: Any) -> DeepReservoirClassifier:
    """Return the classifier that takes the place of scikit-learn's."""
    return DeepReservoirClassifier(**{"label_smoothing": 0.0, **_translated(params)})


def MLPRegressor(**params: Any) -> DeepReservoirRegressor:
    """Return the regressor that takes the place of scikit-learn's."""
    return DeepReservoirRegressor(**_translated(params))


def translated_source() -> str:
    """Return the source of the installed scikit-learn's tests, with our estimators in them.

    Raises
    ------
    RuntimeError
        If the installed scikit-learn has no such tests, or they import the estimators otherwise.
    """
    path = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
    if not path.exists():
        raise RuntimeError(f"the installed scikit-learn has no tests: {path} does not exist")
    ours = f"from {__name__} import MLPClassifier, MLPRegressor"
    source, n = _IMPORT.subn(ours, path.read_text())
    if n != 1:
        raise RuntimeError(f"{path} does not import the two estimators in one line, as expected")
    return source


# scikit-learn defines this fixture for all of its tests.
_FIXTURE = """

@pytest.fixture
def global_random_seed():
    return 42
"""

#: Tests that fail, with the reason.
CAUSES: dict[str, str] = {
    "test_fit": "sets weights by hand before any fit, where ours come from a seed",
    "test_gradient": "calls a private method of scikit-learn's class",
    "test_learning_rate_warmstart": 'needs learning_rate="invscaling" and private attributes',
    "test_adaptive_learning_rate": 'needs learning_rate="adaptive" and private attributes',
    "test_n_iter_no_change": "reads a private counter",
    "test_n_iter_no_change_inf": "reads a private counter",
    "test_mlp_diverging_loss": "expects a model after a divergence, where ours raises an error",
    "test_mlp_vs_poisson_glm_equivalent": 'needs loss="poisson"',
    "test_early_stopping_stratified": "expects an error for a class of one sample",
}


class _Outcomes:
    """A pytest plugin that keeps the outcome of every test, by its name."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = report.nodeid.rpartition("::")[2]
        self.passed[name] = self.passed.get(name, True) and report.outcome == "passed"


def measurements() -> dict[str, Any]:
    """Run scikit-learn's tests, and return how many passed, and why the others did not."""
    import pytest

    outcomes = _Outcomes()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test_translated.py"
        path.write_text(translated_source() + _FIXTURE)
        options = ["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-c", os.devnull]
        pytest.main([*options, "--rootdir", folder, str(path)], plugins=[outcomes])
    failed = {
        name: CAUSES.get(name.partition("[")[0], "unexpected")
        for name, passed in outcomes.passed.items()
        if not passed
    }
    n = len(outcomes.passed)
    return {"tests": n, "passed": n - len(failed), "failed": failed}
