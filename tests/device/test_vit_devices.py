"""A Vision Transformer on a device is that on the host."""

import numpy as np
import pytest

from deepreservoir import ViTClassifier, load, save

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
Y = np.arange(40) % 3
X[Y == 1, :4] //= 3
PARAMS = {
    "width": 8,
    "depth": 2,
    "heads": 2,
    "mlp_ratio": 2,
    "rank": 2,
    "max_iter": 2,
    "batch_size": 16,
    "random_state": 0,
    "dtype": "float64",
}
CASES = {
    "plain": {},
    "dropped": {"dropout": 0.3, "stochastic_depth": 0.3, "adapter_dropout": 0.2},
    "recomputed": {"dropout": 0.3, "recompute": True, "pooling": "mean"},
    "normalised": {"layer_norm": True, "adapter": "dora"},
    "full": {"adapter": "full", "gradient_accumulation": 2},
    "packed": {"scaffold": "binary", "storage": "packed", "early_stopping": True},
    "augmented": {"augmentation": ("crop", "flip"), "test_time_flip": True},
}


@pytest.fixture(autouse=True)
def both(both_devices):
    pass


@pytest.mark.parametrize("params", CASES.values(), ids=CASES)
def test_a_classifier_does_on_a_device_what_it_does_on_the_host(params):
    host = ViTClassifier(**PARAMS, **params).fit(X, Y)
    device = ViTClassifier(**PARAMS, **params, device="cuda").fit(X, Y)
    assert device.network_.device == "cuda"
    found = device.predict_proba(X)
    assert type(found) is np.ndarray
    np.testing.assert_allclose(found, host.predict_proba(X), rtol=1e-8)


def test_files_and_backbones(tmp_path):
    host = ViTClassifier(**PARAMS).fit(X, Y)
    device = load(save(host, tmp_path / "model"), device="cuda")
    np.testing.assert_allclose(device.predict_proba(X), host.predict_proba(X), rtol=1e-8)
    models = [
        ViTClassifier(**PARAMS, backbone=backbone, device=name).fit(X, Y)
        for backbone, name in ((host, "cuda"), (device, "cpu"))
    ]
    found, expected = (model.predict_proba(X) for model in models)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
