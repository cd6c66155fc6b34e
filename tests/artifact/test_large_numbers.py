"""Files whose numbers are huge: refused before anything of that size is made."""

import contextlib
import copy

import pytest
from artifact_tools import set_at
from every_model import MODELS, fitted

from deepreservoir import ArtifactError, container, load, save
from deepreservoir.layers import base
from deepreservoir.models import ARCHITECTURES

pytestmark = pytest.mark.host(reason="it is about files, which do not depend on a device")

HUGE = 2**31  # 6 n + 2, a depth that a plain convolutional network can have
MAX_BYTES = 10_000_000  # a thousand layers


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
    path = save(fitted(name), tmp_path / "model")
    contents = container.read(path)
    for place in places(contents.document):
        few_layers.clear()
        document = copy.deepcopy(contents.document)
        set_at(*place, to=HUGE)(document, None)
        container.write(path, container.Contents(document, contents.tensors, contents.dtypes))
        with contextlib.suppress(ArtifactError):
            load(path, max_bytes=MAX_BYTES)
