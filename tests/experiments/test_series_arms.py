"""Comparisons on series: all arms, the ROC AUC, and statistics of channels."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepreservoir import CfCClassifier, compare, irregular_series
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import ARMS, Protocol
from deepreservoir.experiments.comparisons.report import table
from deepreservoir.experiments.comparisons.series_arms import statistics
from deepreservoir.experiments.comparisons.task import Task


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 60)
    X = [random.normal(size=(random.integers(3, 8), 2)) + 3 * label for label in y]
    for x in X:
        x[1:][random.uniform(size=x[1:].shape) < 0.3] = np.nan
    series = irregular_series(X)
    return Dataset("made", series[:40], y[:40], series[40:], y[40:], metric="roc_auc")


# The reservoir has a thousand units, and loops that are compiled first.
@pytest.mark.parametrize(
    "arms",
    [
        pytest.param([arm for arm in ARMS if arm != "echo_state"], id="without the reservoir"),
        pytest.param(ARMS, id="all", marks=pytest.mark.slow),
    ],
)
def test_arms(data, arms):
    protocol = Protocol(max_iter=3, batch_size=8).changed(units=8, backbone_units=4)
    found = compare(data, (2,), 1, arms, protocol=protocol)
    records = {record.arm: record for record in found.records}
    assert set(records) == set(arms)
    assert found.metric == "roc_auc"
    assert all(0 <= record.score <= 1 for record in found.records)
    assert records["linear"].score > 0.9
    assert records["linear"].trained == 6 * 2 + 1
    assert records["random_features"].trained == 8 + 1
    assert records["full"].trained > records["adapter"].trained
    assert records["equal_bytes"].stored_bytes <= records["adapter"].stored_bytes
    assert "ROC AUC %" in table(found)


def test_the_score_is_the_area_under_the_roc_curve(data):
    task = Task(data, Protocol(max_iter=1).changed(units=8, backbone_units=4), kind=CfCClassifier)
    model = task.estimator(0, rank=2).fit(data.X_train, data.y_train)
    expected = roc_auc_score(data.y_test, model.predict_proba(data.X_test)[:, 1])
    assert task.score(model) == pytest.approx(expected)
    assert task.n_outputs == 2
    assert data.scored_by == "roc_auc"


def test_statistics():
    nan = np.nan
    X = [[[1.0, nan], [nan, nan], [3.0, 5.0]], [[nan, 2.0]]]
    found = statistics(irregular_series(X)).reshape(2, 6, 2)  # series, statistic, channel
    np.testing.assert_allclose(found[0, :, 0], [2, 3, 1, 3, 1, np.log(3)])
    np.testing.assert_allclose(found[0, :, 1], [5, 5, 5, 5, 5, np.log(2)])
    np.testing.assert_allclose(found[1, :, 0], [nan, nan, nan, nan, nan, 0])
    np.testing.assert_allclose(found[1, :, 1], [2, 2, 2, 2, 2, np.log(2)])
