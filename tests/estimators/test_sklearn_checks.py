"""scikit-learn's own checks, all of them: none skipped; those that cannot pass are named."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.host(reason="the checks run in a process of their own")

# One of the checks runs only where SciPy's array API support was switched on before SciPy was
# imported, so all of them run in a process of their own.
PROGRAM = """
import warnings
from sklearn.utils.estimator_checks import check_estimator
import deepreservoir
warnings.simplefilter("ignore")
results = check_estimator(deepreservoir.{name}({sizes}), on_skip=None, on_fail=None)
for result in results:
    if result["status"] != "passed":
        print(result["check_name"], result["status"], result["exception"])
print(len(results), "checks")
"""


# Small models make the same calls as models of the default sizes, in a fraction of the time.
SMALL = {
    "DeepReservoirClassifier": "hidden_layer_sizes=(16,), max_iter=60, learning_rate_init=0.02",
    "DeepReservoirRegressor": "hidden_layer_sizes=(16,), max_iter=60, learning_rate_init=0.02",
    "EchoStateClassifier": "units=50, ridge=1e-3",
    "SeedGatedClassifier": "hidden_layer_sizes=(16,)",
}


@pytest.mark.parametrize("sizes", ["small", pytest.param("default", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [*list(SMALL)[:-1], pytest.param("SeedGatedClassifier", marks=pytest.mark.slow)]
)
def test_every_check_passes_and_none_is_skipped(name, sizes):
    pytest.importorskip("array_api_strict")
    program = PROGRAM.format(name=name, sizes=SMALL[name] if sizes == "small" else "")
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *failures, count = run.stdout.strip().splitlines()
    if (name, sizes) == ("SeedGatedClassifier", "default"):
        # Trained this long, it is so certain of float32 rows that a probability is 1, and its
        # logarithm 0. The log probability is still -3e-9, and the check allows for 1e-9.
        assert [line.split()[0] for line in failures if line.startswith("check_")] == [
            "check_classifiers_train"
        ]
        assert any("rtol=8, atol=1e-09" in line for line in failures)
    elif (name, sizes) == ("EchoStateClassifier", "default"):
        # A choice among several penalties counts a repeated sample as one of more weight.
        assert [line.split()[0] for line in failures if line.startswith("check_")] == [
            "check_sample_weight_equivalence_on_dense_data"
        ]
    else:
        assert failures == []
    assert int(count.split()[0]) > 40


SEARCH = """
import warnings
from sklearn.utils.estimator_checks import check_estimator
from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, RankSearch
warnings.simplefilter("ignore")
for kind in (DeepReservoirClassifier, DeepReservoirRegressor):
    model = kind((8,), max_iter=40, learning_rate_init=0.05, weight_decay=0.01, dropout=0.0)
    search = RankSearch(model, eps=100.0, cv=2, n_seeds=1, random_state=0)
    results = check_estimator(search, on_skip=None, on_fail=None)
    for result in results:
        if result["status"] != "passed":
            print(kind.__name__, result["check_name"], result["status"], result["exception"])
    print(len(results), "checks")
"""


@pytest.mark.slow
def test_searches_over_ranks_pass_every_check_too():
    pytest.importorskip("array_api_strict")
    run = subprocess.run(
        [sys.executable, "-c", SEARCH],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *failures, _, _ = lines = run.stdout.strip().splitlines()
    assert failures == []
    assert all(int(line.split()[0]) > 40 for line in lines)


IMAGES = """
import warnings
from sklearn.utils.estimator_checks import check_estimator
import deepreservoir
warnings.simplefilter("ignore")

class Rows(deepreservoir.{name}):  # every row of a table is an image of one row of pixels
    def _shape_of_rows(self, X):
        return (1, X.shape[1]) if getattr(X, "ndim", 0) == 2 else None

model = Rows({sizes}, dtype="float64", max_iter=20, learning_rate_init=0.03)
results = check_estimator(model, on_skip=None, on_fail=None)
for result in results:
    if result["status"] != "passed":
        print(result["check_name"])
print(len(results), "checks")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("ViTClassifier", "patch_size=1, width=16, depth=1, heads=2", []),
        # Batch normalisation counts a sample of weight 2 once.
        (
            "PlainCNNClassifier",
            "8, width=4",
            ["check_sample_weight_equivalence_on_dense_data"],
        ),
    ],
)
def test_estimators_of_images_pass_the_checks_of_tables(name, sizes, expected):
    pytest.importorskip("array_api_strict")
    run = subprocess.run(
        [sys.executable, "-c", IMAGES.format(name=name, sizes=sizes)],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *failures, count = run.stdout.strip().splitlines()
    assert failures == expected
    assert int(count.split()[0]) > 40
