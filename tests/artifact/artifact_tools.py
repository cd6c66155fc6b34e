"""Small fitted models, and files that say something else than they should."""

import json

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor
from deepreservoir.artifact import format

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
CLASSES = np.array(["no", "perhaps", "yes"])[np.arange(90) % 3]
TARGETS = np.stack([X[:, 0] * 3 + 10, X[:, 1] - X[:, 2]], axis=1)


def classifier(**params):
    params = {"hidden_layer_sizes": (16, 8), "max_iter": 3, "random_state": 0, **params}
    return DeepReservoirClassifier(**params).fit(X, CLASSES)


def regressor(y=TARGETS, **params):
    params = {"hidden_layer_sizes": (16, 8), "max_iter": 3, "random_state": 0, **params}
    return DeepReservoirRegressor(**params).fit(X, y)


def pipeline():
    model = DeepReservoirRegressor((8,), max_iter=3, random_state=0)
    return make_pipeline(StandardScaler(), model).fit(X * 4 + 1, TARGETS)


def told(model):
    """Return the parameters that a file tells: all but the device, which is the reader's choice."""
    return {name: value for name, value in model.get_params().items() if name != "device"}


def forged(path, change):
    """Write a file again after `change(document, tensors)`, with a hash that is right."""
    contents = format.read(path)
    document, tensors = json.loads(json.dumps(contents.document)), dict(contents.tensors)
    change(document, tensors)
    kept = {name for name in tensors if tensors[name] is contents.tensors.get(name)}
    dtypes = {name: contents.dtypes[name] for name in kept}
    target = path.with_name("forged.safetensors")
    format.write(target, format.Contents(document, tensors, dtypes))
    return target
