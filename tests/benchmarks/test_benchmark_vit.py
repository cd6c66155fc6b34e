"""The benchmarks of Vision Transformers: memory of a step, and the pre-trained file."""

import numpy as np
import pytest
from benchmark_tools import imported

from deepreservoir import ViTClassifier
from deepreservoir.datasets import Dataset

pretrain_vit, vit_memory = imported("pretrain_vit"), imported("vit_memory")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
DATA = Dataset(
    "noise",
    RNG.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8),
    np.arange(24) % 2,
    RNG.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8),
    np.arange(6) % 2,
)


def test_a_pretrained_file_is_a_backbone(tmp_path):
    path, said = tmp_path / "results" / "vit.safetensors", []
    small = {"width": 8, "depth": 1, "heads": 2, "batch_size": 12, "verbose": 0}
    figures = pretrain_vit.run(path, 2, said.append, DATA, **small)
    assert figures["file_bytes"] == path.stat().st_size
    assert 0 <= figures["test_accuracy"] <= 1
    assert said == []
    assert not path.with_suffix(".checkpoint").exists()
    model = ViTClassifier(4, 8, 1, 2, backbone=str(path), max_iter=1, random_state=1)
    assert model.fit(DATA.X_train, DATA.y_train).predict(DATA.X_test).shape == (6,)


def test_an_interrupted_pretraining_continues(tmp_path, monkeypatch):
    path, said = tmp_path / "vit.safetensors", []
    small = {"width": 8, "depth": 1, "heads": 2, "batch_size": 12, "verbose": 0}
    fit = ViTClassifier.fit

    def stopped(self, X, y, checkpoint):
        def stop(end):
            raise KeyError("stopped")

        return fit(self, X, y, checkpoint=checkpoint, callback=stop)

    with monkeypatch.context() as patched:
        patched.setattr(ViTClassifier, "fit", stopped)
        with pytest.raises(KeyError), pytest.warns(UserWarning, match="interrupted"):
            pretrain_vit.run(path, 2, said.append, DATA, **small)
    assert not path.exists()
    pretrain_vit.run(path, 2, said.append, DATA, **small)
    assert said == [f"Continuing from {path.with_suffix('.checkpoint')}"]
    assert path.exists()


def test_the_memory_of_a_small_step():
    figures = vit_memory.step(batch=1, side=16, depth=1)
    assert figures["frozen_weights"] == 12 * 768 * 768
    assert figures["seconds"] > 0
