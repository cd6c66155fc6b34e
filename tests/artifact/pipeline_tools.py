"""A frame with columns of every kind, and pipelines that read it."""

import numpy as np
import pandas as pd
from artifact_tools import CLASSES, X
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from deepreservoir import DeepReservoirClassifier

RNG = np.random.default_rng(7)
N = 90
KINDS = RNG.choice(["flat", "house", "castle", "café"], N, p=[0.5, 0.3, 0.15, 0.05])
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(60, 20, N),
        "rooms": RNG.integers(1, 6, N),
        "kind": KINDS.astype(object),
        "grade": RNG.choice(["a", "b", "c"], N).astype(object),
        "note": RNG.choice(["a quiet flat", "old house", "the house by the sea", ""], N),
        "garden": RNG.random(N) < 0.4,
        "lat": RNG.normal(size=N),
        "long": RNG.normal(size=N).astype(np.float32),
    }
)
FRAME.loc[3, "size"] = np.nan
FRAME.loc[[5, 11], "kind"] = np.nan
LABELS = RNG.integers(0, 3, N)


def mixed(**params):
    """Return a pipeline of everything, fitted on a frame."""
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["size", "rooms"]),
        (OneHotEncoder(min_frequency=8, handle_unknown="infrequent_if_exist"), ["kind"]),
        (OrdinalEncoder(), ["grade"]),
        (TfidfVectorizer(), "note"),
        (MinMaxScaler(), slice("lat", "lat")),
        remainder="passthrough",
    )
    params = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0, **params}
    return make_pipeline(columns, DeepReservoirClassifier(**params)).fit(FRAME, LABELS)


def after(transformer, rows=X):
    """Return a fitted pipeline of a transformer and a classifier."""
    return make_pipeline(transformer, DeepReservoirClassifier((4,), max_iter=1)).fit(rows, CLASSES)
