"""Small fitted models, and files that say something else than they should."""

import json

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    SeedGatedClassifier,
    container,
)

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


def grouped():
    """A pipeline with groups of columns, selected by position."""
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler()), [0, -1]),
        (OneHotEncoder(max_categories=4, handle_unknown="infrequent_if_exist"), slice(1, 3)),
        ("drop", [3]),
        remainder=RobustScaler(),
    )
    model = DeepReservoirRegressor((8,), max_iter=3, random_state=0)
    return make_pipeline(columns, model).fit(X * 4 + 1, TARGETS)


TASKS = np.array(["a", "b", "b", "c", "a"])[np.arange(90) % 5]


def gated(**params):
    """Three tasks, of all classes each, with a label for rows of the other two."""
    params = {"hidden_layer_sizes": (16, 8), "max_iter": 3, "random_state": 0, **params}
    model = SeedGatedClassifier(**{"out_of_class": "none", **params})
    return model.fit(X, CLASSES, TASKS)


def told(model):
    """Return the parameters that a file tells: all but the device, which is the reader's choice."""
    return {name: value for name, value in model.get_params().items() if name != "device"}


def set_at(*keys, to):
    """Return a change of a document: the value at a place becomes `to`; KeyError removes it."""

    def change(document, tensors):
        for key in keys[:-1]:
            document = document[key]
        if to is KeyError:
            del document[keys[-1]]
        else:
            document[keys[-1]] = to

    return change


def in_tensors(action):
    """Return a change of the tensors of a file."""
    return lambda document, tensors: action(tensors)


def forged(path, change):
    """Write a file again after `change(document, tensors)`, with a hash that is right."""
    contents = container.read(path)
    document, tensors = json.loads(json.dumps(contents.document)), dict(contents.tensors)
    change(document, tensors)
    kept = {name for name in tensors if tensors[name] is contents.tensors.get(name)}
    dtypes = {name: contents.dtypes[name] for name in kept}
    target = path.with_name("forged.safetensors")
    container.write(target, container.Contents(document, tensors, dtypes))
    return target
