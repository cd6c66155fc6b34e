"""Closed-form continuous-time estimators on a device are those on the host."""

import numpy as np
import pytest

from deepreservoir import CfCClassifier, CfCFeatures, CfCRegressor, irregular_series, load, save

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(length, 2)) for length in RNG.integers(1, 20, 40)]
TIMES = [np.cumsum(RNG.uniform(0.5, 2, len(x))) for x in X]
Y = np.arange(40) % 2
PARAMS = {
    "units": 6,
    "backbone_units": 4,
    "rank": 2,
    "max_iter": 2,
    "batch_size": 16,
    "random_state": 0,
    "dtype": "float64",
}
CASES = {
    "plain": {},
    "dropout": {"dropout": 0.3, "adapter_dropout": 0.2},
    "recomputed": {"dropout": 0.3, "recompute": True},
    "dora": {"adapter": "dora"},
    "full": {"adapter": "full"},
    "packed": {"scaffold": "binary", "storage": "packed", "early_stopping": True},
}


@pytest.fixture(autouse=True)
def both(both_devices):
    pass


@pytest.mark.parametrize("params", CASES.values(), ids=CASES)
def test_a_classifier_does_on_a_device_what_it_does_on_the_host(params):
    host = CfCClassifier(**PARAMS, **params).fit(X, Y, times=TIMES)
    device = CfCClassifier(**PARAMS, **params, device="cuda").fit(X, Y, times=TIMES)
    assert device.network_.device == "cuda"
    found = device.predict_proba(X, TIMES)
    assert type(found) is np.ndarray
    np.testing.assert_allclose(found, host.predict_proba(X, TIMES), rtol=1e-9)


def test_files_and_features(tmp_path):
    host = CfCRegressor(**PARAMS).fit(X, np.array([len(x) for x in X]), times=TIMES)
    path = save(host, tmp_path / "model")
    device = load(path, device="cuda")
    np.testing.assert_allclose(device.predict(X, TIMES), host.predict(X, TIMES), rtol=1e-9)
    features = CfCFeatures(6, 4, random_state=0).fit(X, times=TIMES)
    moved = CfCFeatures(6, 4, random_state=0, device="cuda").fit(X, times=TIMES)
    np.testing.assert_allclose(
        moved.transform(X, TIMES), features.transform(X, TIMES), rtol=1e-4, atol=1e-5
    )


def test_device_arrays_are_refused(cupy):
    series = [cupy.asarray(x) for x in X]
    with pytest.raises(TypeError, match="series are read on the host"):
        CfCClassifier(**PARAMS, device="cuda").fit(series, cupy.asarray(Y))
    with pytest.raises(TypeError, match="computes on the CPU"):
        CfCClassifier(**PARAMS).fit(series, cupy.asarray(Y))
    assert len(irregular_series(X, TIMES)) == 40
