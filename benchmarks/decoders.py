"""What decoders lose by the structure of their frozen weights, their storage and their embeddings.

All arms see the same number of tokens of the same reviews, and are scored on 500 others: by nats
per token, and by bits per byte of text, which can be compared between vocabularies.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deepreservoir import CausalLanguageModel, save
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import protocol_for
from deepreservoir.inputs import BytePairs

from .store import store

BATCH, CONTEXT, RANK, VOCABULARY = 8, 128, 8, 4096

#: Steps and seeds, by preset.
LENGTHS = {"3M": (1500, 2), "30M": (300, 1)}
#: Steps of the arms that differ in storage alone.
STORAGE_STEPS = 50

ARMS: dict[str, dict[str, Any]] = {
    "full": {"adapter": "full"},
    "normal": {"scaffold": "normal"},
    "binary": {"scaffold": "binary"},
    "hadamard": {"scaffold": "hadamard"},
    "kronecker": {"scaffold": "kronecker"},
    "scaffold embeddings": {"embeddings": "scaffold"},
    "small vocabulary": {},  # whose size equal_vocabulary returns
}
#: Frozen weights of one family, held and not held: the losses should be equal but for rounding.
STORAGES: dict[str, dict[str, Any]] = {
    f"{family}, {storage}": {"scaffold": family, "storage": storage}
    for family, others in (("normal", ("dense", "streamed")), ("binary", ("dense", "packed")))
    for storage in others
}


def equal_vocabulary(preset: str) -> int:
    """Return the size of a trained vocabulary of about the bytes of embeddings on a scaffold."""
    trained = {
        embeddings: CausalLanguageModel(preset=preset, rank=RANK, embeddings=embeddings)
        .network_config(VOCABULARY)
        .n_embeddings
        for embeddings in ("trained", "scaffold")
    }
    width = trained["trained"] // VOCABULARY
    return max(257, trained["scaffold"] // width)


class Reviews:
    """Codes of reviews by size of the vocabulary, made once for each.

    Parameters
    ----------
    data : Dataset
        The texts.
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._codes: dict[int, tuple[Any, Any]] = {}
        self.held_out_bytes = sum(len(text.encode()) for text in data.X_test)

    def codes(self, vocabulary: int) -> tuple[list[Any], list[Any]]:
        """Return the codes of each text that is trained on, and of each held-out one."""
        if vocabulary not in self._codes:
            pairs = BytePairs.trained(self._data.X_train, vocabulary)
            train, held_out = self._data.X_train, self._data.X_test
            codes = list(pairs.encode_all(train)), list(pairs.encode_all(held_out))
            self._codes[vocabulary] = codes
        return self._codes[vocabulary]


def trained(
    reviews: Reviews, preset: str, vocabulary: int, steps: int, seed: int, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Train one decoder for some steps, and return its scores, size and time."""
    train, held_out = reviews.codes(vocabulary)
    given = protocol_for("imdb_text").parameters(CausalLanguageModel().get_params())
    given |= {"preset": preset, "rank": RANK, "vocabulary_size": vocabulary, "max_iter": 1}
    model = CausalLanguageModel(**(given | dict(params)), scaffold_seed=seed, random_state=seed)
    start = time.perf_counter()
    model.fit(first_tokens(train, steps * BATCH * CONTEXT + 1))
    seconds = time.perf_counter() - start
    nats = -float(model.score(held_out))
    n_tokens = sum(map(len, held_out))
    with TemporaryDirectory() as folder:
        n_bytes = save(model, Path(folder) / "model.safetensors").stat().st_size
    return {
        "training_loss": model.history_["loss"][-1],
        "nats_per_token": nats,
        "bits_per_byte": nats * n_tokens / math.log(2) / reviews.held_out_bytes,
        "trained": model.n_trained_params_,
        "file_bytes": n_bytes,
        "seconds": seconds,
    }


def first_tokens(texts: list[Any], n: int) -> list[Any]:
    """Return the first `n` codes of texts, or all of them if there are fewer."""
    found = []
    for codes in texts:
        found.append(codes[:n])
        n -= len(codes)
        if n <= 0:
            break
    return found


def run(
    data: Dataset,
    preset: str,
    steps: int,
    seeds: int,
    arms: tuple[str, ...],
    folder: Path,
    report: Callable[[str], None],
) -> Path:
    """Train all arms that the file of an earlier run does not have, and store each at once.

    Returns
    -------
    path
        The file, which has one record per arm and seed.
    """
    name = f"decoders_{preset.lower()}"
    path = folder / f"{name}.json"
    figures: dict[str, Any] = {"steps": steps, "tokens_per_step": BATCH * CONTEXT, "runs": []}
    if path.exists():
        earlier = json.loads(path.read_text())
        if earlier["steps"] == steps:
            figures["runs"] = earlier["runs"]
    done = {(record["arm"], record["seed"]) for record in figures["runs"]}
    reviews = Reviews(data)
    for seed in range(seeds):
        for arm in arms:
            short = arm in STORAGES
            if (arm, seed) in done or (short and seed):
                continue
            params = (ARMS | STORAGES)[arm]
            vocabulary = equal_vocabulary(preset) if arm == "small vocabulary" else VOCABULARY
            taken = min(steps, STORAGE_STEPS) if short else steps
            found = trained(reviews, preset, vocabulary, taken, seed, params)
            identity = {"arm": arm, "seed": seed, "steps": taken, "vocabulary": vocabulary}
            figures["runs"].append(identity | found)
            store(name, figures, folder)
            report(
                f"{preset}, {arm}, seed {seed}: {found['nats_per_token']:.4f} nats per token, "
                f"{found['bits_per_byte']:.4f} bits per byte, {found['trained']:,} trained, "
                f"{found['file_bytes']:,} bytes, {found['seconds']:.0f} s"
            )
    return path
