"""Pipelines in files: every transformer comes back as it was, or is refused with a reason."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from artifact_tools import X, classifier, forged, in_tensors, pipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_tools import FRAME, LABELS, RNG, N, after, mixed
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from deepreservoir import (
    ArtifactError,
    DeepReservoirClassifier,
    container,
    load,
    register_transformer,
    save,
)
from deepreservoir.artifact.summary import describe
from deepreservoir.artifact.transformers import (
    TRANSFORMERS,
    State,
    pack_transformer,
    unpack_transformer,
)


def there_and_back(transformer):
    """Return the transformer of a file, whose text went through JSON."""
    document, arrays = pack_transformer(transformer, "step 'x'")
    data = container.to_bytes(container.Contents({"step": document}, arrays, {}))
    contents = container.from_bytes(data)
    return unpack_transformer(contents.document["step"], contents.tensors, "step 'x'")


def assert_equal_output(found, wanted):
    assert type(found) is type(wanted)
    if scipy.sparse.issparse(wanted):
        assert found.format == wanted.format
        found, wanted = found.toarray(), wanted.toarray()
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted)
        return
    assert found.dtype == wanted.dtype
    if wanted.dtype == object:  # in which NumPy finds no NaN equal to another
        pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(wanted))
        return
    np.testing.assert_array_equal(found, wanted)


def assert_same(found, transformer, rows):
    assert type(found) is type(transformer)
    assert_equal_output(found.transform(rows), transformer.transform(rows))
    np.testing.assert_array_equal(
        found.get_feature_names_out(), transformer.get_feature_names_out()
    )
    assert repr(found.get_params()) == repr(transformer.get_params())
    # Nothing that it learned is missing.
    for name, value in vars(transformer).items():
        if name.endswith("_") and isinstance(value, int | float | np.generic | dict):
            assert getattr(found, name) == value
        elif name.endswith("_"):
            assert repr(getattr(found, name)) == repr(value)
        else:
            assert hasattr(found, name) or name == "_stop_words_id"


NUMBERS = FRAME[["size", "rooms", "lat"]]
WORDS = FRAME[["kind", "grade"]]
SPARSE = scipy.sparse.random_array((N, 4), density=0.3, rng=RNG, format="csr")
CASES = {
    "standard": (StandardScaler(), FRAME[["rooms", "lat"]]),
    "standard of missing values": (StandardScaler(), NUMBERS),
    "standard of sparse rows": (StandardScaler(with_mean=False), SPARSE),
    "standard without anything": (StandardScaler(with_mean=False, with_std=False), NUMBERS),
    "standard in single precision": (StandardScaler(copy=False), X.copy()),
    "min-max": (MinMaxScaler((-1, 1), clip=True), NUMBERS),
    "max-abs": (MaxAbsScaler(), SPARSE),
    "robust": (RobustScaler(quantile_range=(10.0, 90.0), unit_variance=True), NUMBERS),
    "robust without scale": (RobustScaler(with_scaling=False), X),
    "robust without centre": (RobustScaler(with_centering=False), SPARSE),
    "one-hot": (OneHotEncoder(), WORDS),
    "one-hot, dense": (OneHotEncoder(sparse_output=False, dtype=np.float32), WORDS),
    "one-hot, unknown": (OneHotEncoder(handle_unknown="ignore"), FRAME[["rooms", "garden"]]),
    "one-hot, dropped": (OneHotEncoder(drop="first"), WORDS),
    "one-hot, binary": (OneHotEncoder(drop="if_binary"), FRAME[["garden", "grade"]]),
    "one-hot, named": (OneHotEncoder(drop=[np.nan, "b"]), WORDS),
    "one-hot, infrequent": (
        OneHotEncoder(min_frequency=10, drop=["flat", "a"], handle_unknown="infrequent_if_exist"),
        WORDS,
    ),
    "one-hot, given": (
        OneHotEncoder(categories=[[5, 6], ["b", "a"]], handle_unknown="ignore"),
        pd.DataFrame({"n": np.array([5, 6, 5], object), "w": np.array(["a", "b", "b"], object)}),
    ),
    "one-hot of text": (OneHotEncoder(), np.array([["ab"], ["a"], ["é"]])),
    "one-hot of None": (OneHotEncoder(), np.array([["a"], [None], ["b"]], object)),
    "ordinal": (OrdinalEncoder(), WORDS),
    "ordinal, unknown": (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        FRAME[["grade", "rooms"]],
    ),
    "ordinal, infrequent": (
        OrdinalEncoder(max_categories=2, dtype=np.int32, encoded_missing_value=-1),
        WORDS,
    ),
    "mean": (SimpleImputer(), NUMBERS),
    "median and indicator": (SimpleImputer(strategy="median", add_indicator=True), NUMBERS),
    "most frequent": (SimpleImputer(strategy="most_frequent"), WORDS),
    "constant": (
        SimpleImputer(strategy="constant", fill_value="none", missing_values="b"),
        WORDS[["grade"]],
    ),
    "an empty column": (SimpleImputer(), np.array([[np.nan, 1], [np.nan, np.nan]])),
    "an empty column, kept": (
        SimpleImputer(keep_empty_features=True),
        np.array([[np.nan, 1], [np.nan, np.nan]]),
    ),
    "imputed integers": (SimpleImputer(missing_values=-1), np.array([[1, -1], [3, 4]])),
    "imputed sparse rows": (SimpleImputer(), SPARSE),
    "indicator": (MissingIndicator(), NUMBERS),
    "indicator of all": (MissingIndicator(features="all", error_on_new=False), NUMBERS),
    "counts": (CountVectorizer(ngram_range=(1, 2), binary=True), FRAME["note"]),
    "tf-idf": (TfidfVectorizer(stop_words=["the"], sublinear_tf=True), FRAME["note"]),
    "tf-idf in single precision": (TfidfVectorizer(dtype=np.float32, norm=None), FRAME["note"]),
    "tf without idf": (TfidfVectorizer(use_idf=False, analyzer="char"), FRAME["note"]),
    "tf-idf of given terms": (TfidfVectorizer(vocabulary={"house": 0, "sea": 1}), FRAME["note"]),
    "chain": (make_pipeline(SimpleImputer(), "passthrough", MinMaxScaler()), NUMBERS),
}
COLUMNS = {
    "names": make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["size", "rooms"]),
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        (TfidfVectorizer(), "note"),
        ("drop", ["grade"]),
        ("passthrough", ["garden"]),
    ),
    "remainder passed": make_column_transformer(
        (OneHotEncoder(), ["kind", "grade"]), ("drop", ["note"]), remainder="passthrough"
    ),
    "remainder transformed": make_column_transformer(
        (OrdinalEncoder(), ["kind", "grade"]),
        ("drop", "note"),
        remainder=RobustScaler(),
        verbose_feature_names_out=False,
    ),
    "no remainder": make_column_transformer(
        (MinMaxScaler(), ["lat"]), ("drop", slice("size", "garden")), remainder=RobustScaler()
    ),
    "positions": make_column_transformer(
        (MinMaxScaler(), [0, -1]), (OrdinalEncoder(), slice(2, 4)), (CountVectorizer(), 4)
    ),
    "slices of names": make_column_transformer(
        (MinMaxScaler(), slice("lat", "long")), (OneHotEncoder(), slice("kind", "grade"))
    ),
    "masks": ColumnTransformer(
        [
            ("a", MinMaxScaler(), np.array([True, *[False] * 6, True])),
            ("b", "passthrough", [*[False] * 6, True, False]),
        ],
        remainder="drop",
    ),
    "selectors": make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include=np.float64)),
        (OneHotEncoder(), make_column_selector(pattern="grade|kind")),
        (RobustScaler(), lambda frame: ["rooms"]),
        (StandardScaler(), make_column_selector(pattern="nothing")),
    ),
    "weights": ColumnTransformer(
        [("a", MinMaxScaler(), ["lat"]), ("b", MaxAbsScaler(), ["lat", "long"])],
        transformer_weights={"a": 2.0},
        sparse_threshold=0,
        n_jobs=1,
    ),
    "nested": make_column_transformer(
        (
            make_pipeline(
                make_column_transformer(
                    (OneHotEncoder(), ["grade"]), ("passthrough", ["lat"]), sparse_threshold=1.0
                ),
                MaxAbsScaler(),
            ),
            ["lat", "grade"],
        ),
        (StandardScaler(), ["long"]),
    ),
}


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("case", CASES)
def test_a_transformer_comes_back_as_it_was(case):
    transformer, rows = CASES[case]
    transformer = clone(transformer).fit(rows)
    found = there_and_back(transformer)
    assert_same(found, transformer, rows)
    assert_equal_output(clone(found).fit(rows).transform(rows), transformer.transform(rows))


_VECTORIZERS = (CountVectorizer, TfidfVectorizer)


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("case", COLUMNS)
def test_groups_of_columns_come_back_as_they_were(case, output):
    transformer = clone(COLUMNS[case])
    if output == "pandas":  # a frame cannot have sparse columns
        names = transformer.get_params()
        transformer.set_params(**{name: False for name in names if "sparse_output" in name})
        transformer.set_params(**{name: 0 for name in names if "sparse_threshold" in name})
        if any(isinstance(part, _VECTORIZERS) for _, part, _ in transformer.transformers):
            transformer.transformers.pop(2)
        transformer.set_output(transform="pandas")
    transformer.fit(FRAME)
    found = there_and_back(transformer)
    assert_equal_output(found.transform(FRAME), transformer.transform(FRAME))
    # Columns are selected by their names: others may be there, in another order.
    other = FRAME[FRAME.columns[::-1]].assign(more=1)
    assert_equal_output(found.transform(other), transformer.transform(other))
    np.testing.assert_array_equal(
        found.get_feature_names_out(), transformer.get_feature_names_out()
    )
    assert vars(found).keys() >= vars(transformer).keys() - {"_transformers_feature_names_out"}
    assert found.output_indices_ == transformer.output_indices_
    assert found.sparse_output_ == transformer.sparse_output_
    for mine, theirs in zip(found.transformers_, transformer.transformers_, strict=True):
        assert mine[0] == theirs[0]
    if case not in ("masks", "selectors"):  # lists stand for an array, and for what was selected
        assert repr(found) == repr(transformer)
    assert_equal_output(clone(found).fit(FRAME).transform(FRAME), transformer.transform(FRAME))
    assert_equal_output(pickle.loads(pickle.dumps(found)).transform(FRAME), found.transform(FRAME))


def test_unknown_values_are_treated_alike():
    encoder = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist").fit(WORDS)
    new = pd.DataFrame({"kind": ["tent", np.nan], "grade": ["a", "z"]}, dtype=object)
    assert_equal_output(there_and_back(encoder).transform(new), encoder.transform(new))
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-7).fit(WORDS)
    assert_equal_output(there_and_back(ordinal).transform(new), ordinal.transform(new))
    imputer = SimpleImputer(add_indicator=True).fit(NUMBERS)
    new = NUMBERS * np.nan
    assert_equal_output(there_and_back(imputer).transform(new), imputer.transform(new))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=5), st.integers(-(2**60), 2**60).map(str)), min_size=1),
    st.lists(st.floats(allow_infinity=False, width=32), min_size=2, max_size=8),
    st.integers(1, 4),
)
def test_any_categories_come_back(words, numbers, limit):
    for values in (np.array(words, object), np.array(words), np.array(numbers)):
        rows = values[:, None]
        for encoder in (
            OneHotEncoder(max_categories=limit),
            OrdinalEncoder(),
            SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        ):
            if values.dtype.kind == "U" and isinstance(encoder, SimpleImputer):
                continue  # scikit-learn imputes texts as objects
            encoder.fit(rows)
            assert_equal_output(there_and_back(encoder).transform(rows), encoder.transform(rows))


def test_a_model_of_a_frame_is_a_file(tmp_path):
    model = mixed()
    path = save(model, tmp_path / "m.safetensors")
    found = load(path)
    assert type(found) is Pipeline
    np.testing.assert_array_equal(found.predict_proba(FRAME), model.predict_proba(FRAME))
    np.testing.assert_array_equal(found.feature_names_in_, FRAME.columns)
    assert dict(describe(path))["after"] == "ColumnTransformer"
    with pytest.raises(ValueError, match="columns are missing"):
        found.predict(FRAME.drop(columns="lat"))
    assert b"pickle" not in path.read_bytes()
    assert path.stat().st_size < 20_000


def test_a_model_of_texts_is_a_file(tmp_path):
    texts = FRAME["note"].tolist()
    model = make_pipeline(TfidfVectorizer(), DeepReservoirClassifier((8,), max_iter=2))
    model.fit(texts, LABELS)
    found = load(save(model, tmp_path / "m.safetensors", dtype="float16", X=texts, y=LABELS))
    assert_equal_output(found[0].transform(texts), model[0].transform(texts))
    np.testing.assert_allclose(
        found.predict_proba(texts), model.predict_proba(texts), rtol=2e-3, atol=1e-3
    )


# One's own transformers ------------------------------------------------------------------------


class Centre(TransformerMixin, BaseEstimator):
    def __init__(self, by="mean", factor=1.0):
        self.by, self.factor = by, factor

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.centre_ = np.asarray(getattr(np, self.by)(X, axis=0), np.float64)
        return self

    def transform(self, X):
        return (X - self.centre_) * self.factor


@pytest.fixture
def registered():
    def unpack(centre, state):
        state.entries({})
        centre.centre_ = state.array("centre", centre.n_features_in_)

    register_transformer(Centre, lambda centre: State({}, {"centre": centre.centre_}), unpack)
    yield
    del TRANSFORMERS["Centre"]


@pytest.mark.usefixtures("registered")
def test_a_transformer_of_ones_own_is_registered(tmp_path):
    model = after(make_column_transformer((Centre("median", 2.0), slice(0, 4))))
    path = save(model, tmp_path / "m.safetensors")
    found = load(path)
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    assert found[0].transformers_[0][1].get_params() == {"by": "median", "factor": 2.0}
    wrong = in_tensors(lambda t: t.update({"preprocessing.0.0.centre": np.zeros(3)}))
    with pytest.raises(ArtifactError, match=r"'centre' must have shape \(4,\); got \(3,\)"):
        load(forged(path, wrong))
    format_ = TRANSFORMERS.pop("Centre")
    with pytest.raises(ArtifactError, match=r"'Centre', which is not registered; .* Import the"):
        load(path)
    TRANSFORMERS["Centre"] = format_

    class StandardScaler(Centre):  # another one of this name
        pass

    with pytest.raises(ValueError, match="'StandardScaler' is already registered"):
        register_transformer(StandardScaler, format_.pack, format_.unpack)


@pytest.mark.usefixtures("registered")
def test_what_ones_own_code_raises_is_an_artifact_error(tmp_path):
    path = save(after(Centre()), tmp_path / "m.safetensors")

    def unpack(centre, state):
        raise IndexError("no such place")

    TRANSFORMERS.pop("Centre")
    register_transformer(Centre, lambda centre: State({}, {"centre": centre.centre_}), unpack)
    with pytest.raises(ArtifactError, match="no Centre has such a state: IndexError: no such pl"):
        load(path)


def test_files_of_0_1_0_describe_scalers_in_their_own_way(tmp_path):
    model = pipeline()
    scaler = model[0]

    def older(document, tensors):
        document["preprocessing"]["steps"][0] = {
            "name": "standardscaler", "class": "StandardScaler", "with_mean": True,
            "with_std": True, "n_samples": int(scaler.n_samples_seen_), "n_features": 6,
            "feature_names": None,
        }  # fmt: skip

    path = save(model, tmp_path / "m.safetensors")
    found = load(forged(path, older))
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found[0].get_params() == scaler.get_params()

    def odd(document, tensors):
        older(document, tensors)
        document["preprocessing"]["steps"][0]["n_samples"] = "many"

    with pytest.raises(ArtifactError, match=r"of version 0\.1\.0, n_samples: expected int"):
        load(forged(path, odd))
    assert classifier().n_features_in_ == 6
