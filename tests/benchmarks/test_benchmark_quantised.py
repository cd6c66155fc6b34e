"""The benchmark of files of fewer bits: what it measures, on small data."""

import numpy as np
import pytest
from benchmark_tools import imported

from deepreservoir import CausalLanguageModel
from deepreservoir.datasets import Dataset
from deepreservoir.models import DecoderConfig

quantised = imported("quantised")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
IMAGES = Dataset(
    "noise",
    RNG.normal(size=(40, 9)).astype(np.float32),
    np.arange(40) % 3,
    RNG.normal(size=(10, 9)).astype(np.float32),
    np.arange(10) % 3,
)
REVIEWS = [f"a review of {word} number {i}" for i in range(20) for word in ("film", "plot")]
TEXTS = Dataset("words", REVIEWS, np.zeros(40), REVIEWS[:4], np.zeros(4))


def test_all_figures_are_measured_and_told(monkeypatch):
    pytest.importorskip("tokenizers")
    monkeypatch.setattr(quantised, "LAYERS", (32, 16))
    monkeypatch.setattr(quantised, "EMA_DECAYS", (None, 0.9))
    said = []
    figures = quantised.measurements(IMAGES, TEXTS, 1, said.append)
    assert list(figures["mnist"]) == ["no average", "average of 0.9"]
    for found in (*figures["mnist"].values(), *figures["decoder"].values()):
        assert list(found) == ["float32", "float16", "int8", "int6"]
        sizes = [row["bytes"] for row in found.values()]
        assert sizes == sorted(sizes, reverse=True)
    text = "\n".join(said)
    assert "int8: " in text
    assert "(target 28,000)" in text
    assert "(target 0.02)" in text


@pytest.mark.parametrize("embeddings", ["trained", "scaffold"])
def test_formulas_are_what_a_file_takes(embeddings):
    sizes = {"width": 32, "depth": 2, "heads": 2, "mlp_width": 16, "embeddings": embeddings}
    codes = np.arange(100) % 50
    # Trained for long enough that the scales of B are normal numbers of float16.
    training = {"max_iter": 20, "learning_rate_init": 0.05, "random_state": 0}
    model = CausalLanguageModel(**sizes, vocabulary_size=50, context=10, rank=8, **training)
    found = quantised.saved(model.fit(codes), lambda loaded: loaded.score(codes))
    config = DecoderConfig(50, context=10, rank=8, **sizes)
    assert found["float32"]["trained_bytes"] == 4 * config.n_params
    for dtype in ("float16", "int8", "int6"):
        assert quantised.parameter_bytes(config, dtype) == found[dtype]["trained_bytes"]


def test_the_targets_of_the_largest_preset():
    found = quantised.presets()
    for embeddings, most in quantised.MOST_PRESET_BYTES.items():
        assert found[embeddings]["int6"] < found[embeddings]["int8"]
        assert found[embeddings]["int8"] < found[embeddings]["float16"] < most
