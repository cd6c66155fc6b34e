"""A Vision Transformer as an ONNX graph gives what the model gives."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from deepreservoir import ViTClassifier, export_onnx

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.host(reason="a graph is a file"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
DIGITS = load_digits(n_class=3)
X, Y = DIGITS.images[:60].astype(np.uint8), DIGITS.target[:60]
CASES = {
    "plain": {},
    "full": {"adapter": "full", "dropout": 0.1, "stochastic_depth": 0.1},
    "normalised": {"layer_norm": True, "adapter": "dora", "recompute": True},
    "mean": {"pooling": "mean", "scaffold": "hadamard", "test_time_flip": True},
}


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_probabilities_and_labels(options, kind, tmp_path):
    images = X if kind == np.uint8 else X.astype(np.float32) / 16
    params = {"depth": 2, "heads": 2, "rank": 2, "max_iter": 4, "learning_rate_init": 0.02}
    model = ViTClassifier(4, 8, **params, random_state=0, **options)
    model.fit(images, np.array(["zero", "one", "two"])[Y])
    path = export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 60):
        label, probabilities = session.run(None, {"X": images[:n, ..., None]})
        np.testing.assert_allclose(probabilities, model.predict_proba(images[:n]), atol=1e-4)
        np.testing.assert_array_equal(label, model.predict(images[:n]))
    label, probabilities = session.run(None, {"X": images[:0, ..., None]})
    assert label.shape == (0,)
    assert probabilities.shape == (0, 3)


def test_two_classes(tmp_path):
    model = ViTClassifier(4, 8, depth=1, heads=2, max_iter=2, random_state=0).fit(X, Y == 1)
    session = onnxruntime.InferenceSession(
        export_onnx(model, tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    _, probabilities = session.run(None, {"X": X[..., None]})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-4)
