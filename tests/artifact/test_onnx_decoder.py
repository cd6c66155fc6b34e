"""One step of a decoder as an ONNX graph: generation in a runtime is that of the model."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import ArtifactError, CausalLanguageModel, export_onnx

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.host(reason="a graph is a file"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
SMALL = {
    "width": 16,
    "depth": 2,
    "heads": 2,
    "mlp_width": 24,
    "context": 40,
    "vocabulary_size": 11,
    "rank": 3,
    "max_iter": 3,
    "learning_rate_init": 0.05,
    "random_state": 0,
}
STREAM = np.cumsum(np.random.default_rng(0).integers(0, 3, 200)) % 11
CASES = {
    "attention": {},
    "full": {"adapter": "full", "tied": False, "rotary_base": 100.0},
    "embeddings": {"embeddings": "scaffold", "tied": False},
    "all": {"adapt": "all", "adapter": "dora", "recompute": True, "scaffold": "hadamard"},
}


class Steps:
    """Steps of a graph, one token after the other."""

    def __init__(self, path, config):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        shape = config.depth, config.heads, 0, config.width // config.heads
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def step(self, token):
        position = self.keys.shape[2]
        inputs = {
            "token": np.array([token]),
            "position": np.array([position]),
            "keys": self.keys,
            "values": self.values,
        }
        logits, self.keys, self.values = self.session.run(None, inputs)
        return logits


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_runtime_generates_what_the_model_generates(options, tmp_path):
    model = CausalLanguageModel(**{**SMALL, **options}).fit(STREAM)
    network, config = model.network_, model.network_.config
    steps = Steps(export_onnx(model, tmp_path / "step.onnx"), config)
    prompt = [1, 3, 2, 10]
    found = np.stack([steps.step(token) for token in prompt])
    expected = network.forward(np.array([prompt]))[0][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    greedy = model.generate(prompt, 20, temperature=0)
    continued, logits = [], found[-1]
    while len(continued) < 20:
        continued.append(int(logits.argmax()))
        logits = steps.step(continued[-1])
    np.testing.assert_array_equal(continued, greedy)
    assert steps.keys.shape == (2, 2, 24, 8)
    assert len(set(continued)) > 1


def test_steps_before_a_language_model_are_refused(tmp_path):
    model = CausalLanguageModel(**{**SMALL, "max_iter": 1}).fit(STREAM)
    pipeline = make_pipeline(StandardScaler().fit([[0.0], [1.0]]), model)
    with pytest.raises(ArtifactError, match="only the graph of a perceptron has steps before it"):
        export_onnx(pipeline, tmp_path / "step.onnx")
    assert not list(tmp_path.iterdir())
