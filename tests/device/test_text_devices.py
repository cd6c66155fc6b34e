"""An encoder of texts on a device is that on the host."""

import numpy as np
import pytest

from deepreservoir import TextTransformerClassifier, load, save

X = [[(i + j) % 7 for j in range(1 + i % 5)] for i in range(40)]
Y = np.arange(40) % 3
PARAMS = {
    "width": 8,
    "depth": 2,
    "heads": 2,
    "max_length": 8,
    "mlp_ratio": 2,
    "vocabulary_size": 7,
    "rank": 2,
    "max_iter": 2,
    "batch_size": 16,
    "random_state": 0,
    "dtype": "float64",
}
CASES = {
    "trained": {"dropout": 0.3, "adapter_dropout": 0.2},
    "adapted": {"embeddings": "adapted", "adapt": "all", "recompute": True},
    "frozen": {"embeddings": "frozen", "scaffold": "binary", "storage": "packed"},
    "full": {"adapter": "full", "early_stopping": True},
}


@pytest.fixture(autouse=True)
def both(both_devices):
    pass


@pytest.mark.parametrize("params", CASES.values(), ids=CASES)
def test_a_classifier_does_on_a_device_what_it_does_on_the_host(params, tmp_path):
    host = TextTransformerClassifier(**PARAMS, **params).fit(X, Y)
    device = TextTransformerClassifier(**PARAMS, **params, device="cuda").fit(X, Y)
    assert device.network_.device == "cuda"
    found = device.predict_proba(X)
    assert type(found) is np.ndarray
    np.testing.assert_allclose(found, host.predict_proba(X), rtol=1e-8)
    loaded = load(save(host, tmp_path / "model"), device="cuda")
    np.testing.assert_allclose(loaded.predict_proba(X), host.predict_proba(X), rtol=1e-8)
