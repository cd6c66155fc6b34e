"""Files that were changed at random: an ArtifactError, never a crash, a hang or a wrong model.

A thousand by default; ``pytest -m slow tests/artifact/test_fuzz.py`` takes twenty thousand.
"""

import contextlib
import copy
import random

import numpy as np
import pytest
import test_echo_files as echo
from artifact_tools import X, classifier, gated, grouped, pipeline, regressor

from deepreservoir import ArtifactError, EchoStateClassifier, container, load, save
from deepreservoir.artifact.summary import describe

#: What a value of the document is replaced by.
ODD = [
    None, True, -1, 0, 1, 2, 7, 1 << 31, 1 << 62, 10**40, 10**400, 0.5, -1e308, "", "x", "normal",
    "dora", "../../etc/passwd", "\0", "é" * 50, [], [[]], [1, 2], {}, {"tuple": [1]},
    {"dict": [[1, 2]]}, {"tuple": {"tuple": []}}, [10**6] * 4, "float16", "hadamard", "orthogonal",
    {"plasticity": [1, 0.0, None, 0.1]},
]  # fmt: skip


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    models = {
        "classifier": classifier(),
        "regressor": regressor(adapter="dora", scaffold="spectral_radius"),
        "pipeline": pipeline(),
        "columns": grouped(),
        "tasks": gated(scaffold="binary"),
        "reservoir": echo.regressor(units=20, feedback=True, plasticity=1),
        "reader": echo.classifier(units=12, features="output_model", n_components=4),
    }
    files = [save(model, folder / f"{name}.safetensors") for name, model in models.items()]
    wide = classifier(hidden_layer_sizes=(64, 32))
    return files + [save(wide, folder / dtype, dtype=dtype) for dtype in ("int8", "int6")]


def changed_bytes(rng, data):
    """Flip, insert, remove, repeat or swap some bytes."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at, n = rng.randrange(len(data)), rng.choice([1, 1, 4, 8, 64, 1000])
        action = rng.randrange(6)
        if action == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            data[at:at] = rng.randbytes(n)
        elif action == 2:
            del data[at : at + n]
        elif action == 3:
            data[at:at] = data[at : at + n]
        elif action == 4:
            data[at : at + n] = rng.randbytes(min(n, len(data) - at))
        else:
            data = data[: at + 1]
        if not data:
            break
    return bytes(data)


def places(value, found=()):
    """Return the paths to all values in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    paths = []
    for key, inner in items:
        paths.append((*found, key))
        if isinstance(inner, dict | list):
            paths += places(inner, (*found, key))
    return paths


def changed_document(rng, contents):
    """Change a value that loading depends on, and give the file the right hash."""
    document = copy.deepcopy(contents.document)
    tensors = dict(contents.tensors)
    dtypes = dict(contents.dtypes)
    if rng.random() < 0.3:
        name = rng.choice(list(tensors))
        action = rng.randrange(4)
        if action == 0:
            del tensors[name], dtypes[name]
        elif action == 1:
            tensors[name + "x"] = tensors[name]
        elif action == 2:
            tensors[name] = tensors[name][None]
        else:
            other = "float32" if tensors[name].dtype == "float64" else "float64"
            tensors[name], dtypes[name] = tensors[name].astype(other), other
        return container.Contents(document, tensors, dtypes)
    # Versions say what made a model, and are not read.
    where = [place for place in places(document) if place[0] != "versions"]
    *outer, last = rng.choice(where)
    inner = document
    for key in outer:
        inner = inner[key]
    before = inner[last]
    if rng.random() < 0.1:
        del inner[last]
    else:
        inner[last] = rng.choice([value for value in ODD if value != before])
    return container.Contents(document, tensors, dtypes)


def refused(path, max_bytes=1 << 24):
    """Load a file; return the model, or None where it was refused as it should be."""
    with contextlib.suppress(ArtifactError):
        describe(path, max_bytes=max_bytes)
    try:
        return load(path, max_bytes=max_bytes)
    except ArtifactError:
        return None


SIZES = [pytest.param(500, id="some"), pytest.param(10_000, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("n", SIZES)
def test_a_file_of_changed_bytes_is_never_loaded(paths, n):
    rng = random.Random(n)
    target = paths[0].with_name("bytes.safetensors")
    originals = [path.read_bytes() for path in paths]
    for _ in range(n):
        data = rng.choice(originals)
        new = changed_bytes(rng, data)
        target.write_bytes(new)
        assert new == data or refused(target) is None


def waits_for_longer(model, rows):
    """Tell whether a classifier of series has a washout that these do not outlast."""
    if not isinstance(model, EchoStateClassifier):
        return False
    more = {"mean": 1, "output_model": 2, "reservoir_model": 2}.get(str(model.features_.kind))
    needed = 0 if more is None else model.features_.washout + more
    return rows.shape[1] < max(needed, model.washout + 1)


@pytest.mark.parametrize("n", SIZES)
def test_a_forged_document_is_refused_or_is_a_model(paths, n):
    # With a hash that is right, a change may also describe another model: then it must be one.
    rng = random.Random(n)
    target = paths[0].with_name("document.safetensors")
    originals = [container.read(path) for path in paths]
    models = 0
    for _ in range(n):
        container.write(target, changed_document(rng, rng.choice(originals)))
        model = refused(target)
        if model is not None:
            models += 1
            with np.errstate(all="ignore"):
                for rows in (X, echo.WALK, echo.SERIES):
                    if rows.shape[1] == model.n_features_in_:
                        tasks = getattr(model, "tasks_", [])
                        of = {"task": tasks[-1]} if len(tasks) else {}
                        if waits_for_longer(model, rows):
                            with pytest.raises(ValueError, match="washout"):
                                model.predict(rows, **of)
                        else:
                            assert len(model.predict(rows, **of)) == len(rows)
    assert models < n / 5  # most changes contradict something else in the file


def test_every_entry_of_what_was_fitted_is_checked(paths, tmp_path):
    """Each value is replaced by each odd one, and each tensor by a scalar."""
    for path in paths:
        contents = container.read(path)
        fitted = contents.document["fitted"]
        for name, value in fitted.items():
            for odd in (None, "x", -1, [], {}):
                if odd != value:
                    document = contents.document | {"fitted": fitted | {name: odd}}
                    changed = container.Contents(document, contents.tensors, contents.dtypes)
                    _load_or_refuse(tmp_path / "m", changed)
        for name, tensor in contents.tensors.items():
            tensors = contents.tensors | {name: tensor.reshape(-1)[0].reshape(())}
            changed = container.Contents(contents.document, tensors, contents.dtypes)
            _load_or_refuse(tmp_path / "m", changed)


def _load_or_refuse(path, contents):
    with contextlib.suppress(ArtifactError):
        container.write(path, contents)
        load(path)
