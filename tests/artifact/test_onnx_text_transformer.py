"""An encoder of texts as an ONNX graph gives what the model gives."""

import numpy as np
import pytest

from deepreservoir import TextTransformerClassifier, export_onnx

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.host(reason="a graph is a file"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X = [[(i + j) % 7 for j in range(1 + i % 5)] for i in range(40)]
Y = np.array(["zero", "one", "two"])[np.arange(40) % 3]
CASES = {
    "trained": {},
    "frozen": {"embeddings": "frozen", "recompute": True},
    "adapted": {"embeddings": "adapted", "adapter": "dora", "adapt": "all"},
    "full": {"adapter": "full", "dropout": 0.2, "scaffold": "hadamard"},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_probabilities_and_labels(options, tmp_path):
    params = {"vocabulary_size": 7, "rank": 2, "max_iter": 3, "learning_rate_init": 0.02}
    model = TextTransformerClassifier(8, 2, 2, 8, **params, random_state=0, **options).fit(X, Y)
    path = export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for texts in (X[:1], X):
        label, probabilities = session.run(None, {"X": model.encode(texts)})
        np.testing.assert_allclose(probabilities, model.predict_proba(texts), atol=1e-5)
        np.testing.assert_array_equal(label, model.predict(texts))
    no_label, none = session.run(None, {"X": model.encode(X)[:0]})
    assert no_label.shape == (0,)
    assert none.shape == (0, 3)
    wider = np.pad(model.encode(X), ((0, 0), (0, 3)), constant_values=-1)
    np.testing.assert_allclose(session.run(None, {"X": wider})[1], probabilities, atol=1e-6)


def test_codes_of_padding_after_the_end_of_a_text_are_left_out(tmp_path):
    pytest.importorskip("tokenizers")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fine", "dull", "film"]
    model = TextTransformerClassifier(8, 1, 2, 9, vocabulary=pieces, max_iter=9, random_state=0)
    model.set_params(learning_rate_init=0.05).fit(["fine film", "dull film"] * 10, [1, 0] * 10)
    session = onnxruntime.InferenceSession(
        export_onnx(model, tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    codes = np.array([[2, 4, 6, 3, 0, 0], [2, 0, 5, 3, -1, -1], [2, 4, 3, 0, -1, -1]])
    _, probabilities = session.run(None, {"X": codes})
    np.testing.assert_allclose(probabilities, model.predict_proba(codes), atol=1e-5)
    _, none = session.run(None, {"X": np.array([[0, 0, 0], [-1, -1, -1], [0, -1, -1]])})
    assert np.isnan(none).all()  # the model refuses what has no tokens


def test_two_classes_have_two_logits(tmp_path):
    model = TextTransformerClassifier(4, 1, 1, 8, vocabulary_size=7, max_iter=1, random_state=0)
    model.fit(X, Y == "one")
    session = onnxruntime.InferenceSession(
        export_onnx(model, tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    label, probabilities = session.run(None, {"X": model.encode(X)})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(label.astype(bool), model.predict(X))
