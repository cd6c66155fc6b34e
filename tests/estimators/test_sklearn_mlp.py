"""scikit-learn's own tests of its multilayer perceptron, with our estimators in its place.

The tests are read from the installed scikit-learn; those that fail, and why, are listed in
benchmarks/sklearn_mlp.py. Another version of scikit-learn may have others.
"""

import warnings
from pathlib import Path

import pytest

from benchmarks import sklearn_mlp

pytestmark = pytest.mark.host(reason="scikit-learn's tests compute on the CPU")

# Longer than a second.
SLOW = {
    "test_n_iter_no_change",
    "test_n_iter_no_change_inf",
    "test_lbfgs_classification",
    "test_lbfgs_regression",
    "test_multilabel_classification",
    "test_mlp_loading_from_joblib_partial_fit",
    "test_partial_fit_classification",
    "test_partial_fit_regression",
    "test_warm_start",
    "test_early_stopping",
}


@pytest.fixture
def global_random_seed():
    return 42


def translated():
    """Return scikit-learn's tests by name, marked where they fail or are slow."""
    namespace = {"__name__": __name__}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(sklearn_mlp.translated_source(), "test_mlp.py", "exec"), namespace)
    tests = {name: value for name, value in namespace.items() if name.startswith("test_")}
    for name, test in tests.items():
        # scikit-learn's tests ignore warnings that ours make errors.
        pytest.mark.filterwarnings("ignore")(test)
        if name in sklearn_mlp.CAUSES:
            pytest.mark.xfail(reason=sklearn_mlp.CAUSES[name], strict=True)(test)
        if name in SLOW:
            pytest.mark.slow(test)
    return tests


globals().update(translated())


def test_every_cause_belongs_to_a_test():
    assert set(sklearn_mlp.CAUSES) | SLOW <= set(globals())


def test_the_page_lists_the_causes():
    page = (Path(__file__).parents[2] / "docs" / "from_sklearn.md").read_text(encoding="utf-8")
    for name, cause in sklearn_mlp.CAUSES.items():
        assert f"| `{name}` | {cause} |" in page
