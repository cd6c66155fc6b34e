"""Files whose numbers are huge: refused before anything of that size is made."""

import contextlib
import copy
import warnings

import numpy as np
import pytest
from artifact_tools import set_at
from graph_tools import two_groups

from deepreservoir import (
    ArtifactError,
    CausalLanguageModel,
    CfCClassifier,
    DecisionTransformer,
    DeepReservoirClassifier,
    EchoStateRegressor,
    GCNClassifier,
    GINClassifier,
    Graph,
    PlainCNNClassifier,
    SeedGatedClassifier,
    TextTransformerClassifier,
    ViTClassifier,
    container,
    load,
    save,
)
from deepreservoir.layers import base
from deepreservoir.models import ARCHITECTURES

pytestmark = pytest.mark.host(reason="it is about files, which do not depend on a device")

HUGE = 2**31  # 6 n + 2, a depth that a plain convolutional network can have
MAX_BYTES = 10_000_000  # a thousand layers
RNG = np.random.default_rng(0)
CODES = np.arange(24) % 2
SHORT = {"rank": 2, "max_iter": 1, "random_state": 0}


def graph_of(n):
    ones = np.ones((n, 2), int)
    return Graph.undirected(ones, [np.arange(n), np.roll(np.arange(n), -1)], np.zeros((n, 1), int))


def episode(seed):
    rng = np.random.default_rng(seed)
    sizes = {"observations": (6, 3), "actions": (6, 2), "rewards": 6}
    return {name: rng.uniform(-0.5, 0.5, size) for name, size in sizes.items()}


def nodes():
    adjacency, labels = two_groups()
    model = GCNClassifier((8,), rank=1, max_iter=1, random_state=0)
    return model.fit(RNG.normal(size=(80, 4)), labels, adjacency=adjacency)


def gated():
    return SeedGatedClassifier((8, 4), **SHORT).fit(RNG.normal(size=(24, 6)), CODES, CODES)


MODELS = {
    "mlp": lambda: DeepReservoirClassifier((8, 4), **SHORT).fit(RNG.normal(size=(24, 6)), CODES),
    "cfc": lambda: CfCClassifier(8, **SHORT).fit(RNG.normal(size=(24, 5, 2)), CODES),
    "vit": lambda: ViTClassifier(2, 8, depth=1, heads=2, **SHORT).fit(
        RNG.random((24, 4, 4)), CODES
    ),
    "plain_cnn": lambda: PlainCNNClassifier(8, 4, **SHORT).fit(RNG.random((24, 4, 4)), CODES),
    "gcn": nodes,
    "gin": lambda: GINClassifier(width=8, depth=1, **SHORT).fit(
        [graph_of(4 + i) for i in range(24)], CODES
    ),
    "decoder": lambda: CausalLanguageModel(
        vocabulary_size=257, width=8, depth=1, heads=1, mlp_width=8, context=8, **SHORT
    ).fit(["a text of some words " * 4] * 2),
    "text_transformer": lambda: TextTransformerClassifier(
        width=8, depth=1, heads=1, max_length=8, vocabulary_size=257, **SHORT
    ).fit(["a good film", "a bad film"] * 12, CODES),
    "decision_transformer": lambda: DecisionTransformer(
        context=3, width=8, depth=1, **SHORT
    ).fit([episode(i) for i in range(4)]),
    "tasks": gated,
    "reservoir": lambda: EchoStateRegressor(10, random_state=0).fit(
        RNG.normal(size=(60, 2)), RNG.normal(size=60)
    ),
}  # fmt: skip


def places(value, found=()):
    """Yield the path to each integer in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if type(inner) is int:
            yield (*found, key)
        elif isinstance(inner, dict | list):
            yield from places(inner, (*found, key))


@pytest.fixture
def few_layers(monkeypatch):
    """Fail as soon as a test makes more layers than a file may have, in any of its checks."""
    made = []
    count = base.count_layer

    def counted():
        made.append(1)
        assert len(made) < 20_000, "layers are made before their number is checked"
        count()

    monkeypatch.setattr(base, "count_layer", counted)
    return made


def test_all_architectures_are_here():
    own = {name for name, cls in ARCHITECTURES.items() if cls.__module__.startswith("deepres")}
    assert own < MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_huge_numbers_are_refused_before_layers_of_that_number_are_made(name, tmp_path, few_layers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = save(MODELS[name](), tmp_path / "model")
    contents = container.read(path)
    for place in places(contents.document):
        few_layers.clear()
        document = copy.deepcopy(contents.document)
        set_at(*place, to=HUGE)(document, None)
        container.write(path, container.Contents(document, contents.tensors, contents.dtypes))
        with contextlib.suppress(ArtifactError):
            load(path, max_bytes=MAX_BYTES)
