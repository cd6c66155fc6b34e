"""scikit-learn's own checks, all of them: none skipped, none expected to fail."""

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
results = check_estimator(deepreservoir.{name}(), on_skip=None, on_fail=None)
for result in results:
    if result["status"] != "passed":
        print(result["check_name"], result["status"], result["exception"])
print(len(results), "checks")
"""


@pytest.mark.parametrize(
    "name",
    [
        "DeepReservoirClassifier",
        "DeepReservoirRegressor",
        "EchoStateClassifier",
        "SeedGatedClassifier",
    ],
)
def test_every_check_passes_and_none_is_skipped(name):
    pytest.importorskip("array_api_strict")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *failures, count = run.stdout.strip().splitlines()
    assert failures == []
    assert int(count.split()[0]) > 40
