"""Right and wrong calls of public names, for mypy: nothing here is run.

mypy has to accept each call, and to refuse each that has a comment ``type: ignore``, for the
reason in the comment: an unused one is an error too (``warn_unused_ignores``). Of an estimator it
cannot refuse a misspelt parameter, because the base classes of scikit-learn have no types.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    EchoStateClassifier,
    EchoStateRegressor,
    MLPConfig,
    Network,
    ScaffoldSpec,
    SeedGatedClassifier,
    attach,
    compare,
    load,
    load_dataset,
    make_scaffold,
    materialise,
    predict_many,
    register_transformer,
    save,
)


def right(path: Path, X: np.ndarray) -> None:
    model = DeepReservoirClassifier((64, 32), "gelu", rank=4, adapter="dora", beta="fixed")
    model = DeepReservoirClassifier(rank="auto", beta=0.5, batch_size=32, device="auto")
    model.fit(X, X[:, 0]).predict(X)
    DeepReservoirRegressor(optimizer="sgd", schedule="constant", head="lora+bias", bias="paper")
    DeepReservoirRegressor(scaffold="binary", storage="packed", scaffold_scale="family")
    SeedGatedClassifier((32,), adapter="lora", scaling="rslora").fit(X, X[:, 0], X[:, 1])
    EchoStateRegressor(units=(50, 50), arrangement="grouped", activation="tanh", readout="rls")
    EchoStateClassifier(units=50, dtype="float32")
    config = MLPConfig(n_features=4, n_outputs=2, hidden_layer_sizes=(8,), adapter="full")
    Network(config, 0, device="cpu")
    make_scaffold(ScaffoldSpec("normal", (8, 4), 0, "layers.0"), "dense", np.float64)
    saved: Path = save(model, path, dtype="float16", X=X, y=X[:, 0])
    attach(load(saved, device="cuda"), str(saved))
    predict_many({"a": model}, X, ["a"] * len(X))
    materialise(model)
    compare(load_dataset("digits"), ranks=[1, 2], seeds=2, device="cpu")


def wrong(path: Path, X: np.ndarray) -> None:
    DeepReservoirClassifier(adapter="lorra")  # type: ignore[arg-type]
    DeepReservoirClassifier(rank="all")  # type: ignore[arg-type]
    DeepReservoirClassifier(activation="reluu")  # type: ignore[arg-type]
    DeepReservoirClassifier(hidden_layer_sizes=("64",))  # type: ignore[arg-type]
    DeepReservoirClassifier(optimizer="adamax")  # type: ignore[arg-type]
    DeepReservoirClassifier(schedule="cosin")  # type: ignore[arg-type]
    DeepReservoirClassifier(batch_size="all")  # type: ignore[arg-type]
    DeepReservoirClassifier(random_state="zero")  # type: ignore[arg-type]
    DeepReservoirClassifier(device=0)  # type: ignore[arg-type]
    DeepReservoirRegressor(scaling="lora+")  # type: ignore[arg-type]
    DeepReservoirRegressor(storage="sparse")  # type: ignore[arg-type]
    DeepReservoirRegressor(scaffold_scale="auto")  # type: ignore[arg-type]
    DeepReservoirRegressor(beta="trained")  # type: ignore[arg-type]
    DeepReservoirRegressor(b_init="normal")  # type: ignore[arg-type]
    DeepReservoirRegressor(dtype="float16")  # type: ignore[arg-type]
    DeepReservoirRegressor(head="rank 1")  # type: ignore[arg-type]
    DeepReservoirRegressor(bias="yes")  # type: ignore[arg-type]
    DeepReservoirRegressor(layer_norm="pre")  # type: ignore[arg-type]
    SeedGatedClassifier(adapter="LoRA")  # type: ignore[arg-type]
    EchoStateRegressor(arrangement="wide")  # type: ignore[arg-type]
    EchoStateRegressor(activation="gelu")  # type: ignore[arg-type]
    EchoStateRegressor(units="500")  # type: ignore[arg-type]
    EchoStateRegressor(spectral_radius="0.9")  # type: ignore[arg-type]
    EchoStateClassifier(dtype="half")  # type: ignore[arg-type]
    MLPConfig(n_features=4, n_outputs=2, adapter="lorra")  # type: ignore[arg-type]
    MLPConfig(n_features=4)  # type: ignore[call-arg]
    Network(4, 0)  # type: ignore[arg-type]
    make_scaffold("normal")  # type: ignore[arg-type]
    save(DeepReservoirClassifier())  # type: ignore[call-arg]
    save(DeepReservoirClassifier(), path, dtype="int4")  # type: ignore[arg-type]
    load(path, device=0)  # type: ignore[arg-type]
    load_dataset(3)  # type: ignore[arg-type]
    compare(ranks="1,2")  # type: ignore[arg-type]
    predict_many([DeepReservoirClassifier()], X, ["a"])  # type: ignore[arg-type]
    register_transformer(DeepReservoirClassifier(), len, len)  # type: ignore[arg-type]
