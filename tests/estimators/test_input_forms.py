"""X and y in every form that NumPy, SciPy and pandas have: the same model, the same predictions."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepreservoir import (
    DeepReservoirClassifier,
    EchoStateClassifier,
    EchoStateRegressor,
)
from deepreservoir.inputs import Table

pytestmark = pytest.mark.host(reason="forms of host arrays")

RNG = np.random.default_rng(0)
X = np.round(3 * RNG.normal(size=(150, 5)))
CODES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 2)
WORDS = np.array(["low", "mid", "high"])[CODES]


def deep(**params):
    return DeepReservoirClassifier((16,), rank=2, max_iter=5, random_state=0, **params)


ESTIMATORS = {
    "deep": deep,
    "echo regressor": lambda: EchoStateRegressor(20, random_state=0),
    "echo classifier": lambda: EchoStateClassifier(20, random_state=0),
}


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def strided(array):
    larger = np.zeros((2 * len(array), 3 * array.shape[1]))
    larger[::2, ::3] = array
    return larger[::2, ::3]


FORMS = {
    "read-only": read_only,
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "reversed": lambda array: array[::-1].copy()[::-1],
    "big-endian floats": lambda array: array.astype(">f8"),
    "half precision": lambda array: array.astype("f2"),
    "objects": lambda array: array.astype(object),
    "bytes": lambda array: array.astype("i1"),
    "big-endian integers": lambda array: array.astype(">i4"),
    "lists": lambda array: array.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", ESTIMATORS)
def test_the_layout_of_an_array_does_not_matter(make, form):
    wanted = ESTIMATORS[make]().fit(X, CODES).predict(X)
    formed = FORMS[form](X)
    np.testing.assert_allclose(
        ESTIMATORS[make]().fit(formed, CODES).predict(formed), wanted, atol=1e-6
    )


@pytest.mark.parametrize("make", ESTIMATORS)
def test_memory_maps_as_of_joblibs_workers_are_read(make, tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    wanted = ESTIMATORS[make]().fit(X, CODES).predict(X)
    np.testing.assert_array_equal(ESTIMATORS[make]().fit(mapped, CODES).predict(mapped), wanted)


SPARSE = {
    "csc": sp.csc_matrix,
    "coo": sp.coo_matrix,
    "array": sp.csr_array,
    "bytes": lambda X: sp.csr_matrix(X).astype("i1"),
}


def _other_types(X):
    S = sp.csr_matrix(X)
    parts = S.data.astype(">f8"), S.indices.astype("i8"), S.indptr.astype("i8")
    return sp.csr_matrix(parts, S.shape)


def _read_only_parts(X):
    S = sp.csr_matrix(X)
    for part in (S.data, S.indices, S.indptr):
        part.setflags(write=False)
    return S


SPARSE |= {"big-endian with long indices": _other_types, "read-only": _read_only_parts}


@pytest.mark.parametrize("form", SPARSE)
def test_the_format_of_a_sparse_matrix_does_not_matter(form):
    formed = SPARSE[form](X)
    wanted = deep().fit(sp.csr_matrix(X), CODES).predict_proba(sp.csr_matrix(X))
    found = deep().fit(formed, CODES).predict_proba(formed)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("form", ["csr_array", "csc_array", "coo_array", "csr_matrix"])
def test_sparse_rows_of_one_batch_are_all_trained_on(form):
    """A sparse array is indexed to rows of one axis, a sparse matrix to rows of two."""
    rows = np.where(np.random.default_rng(0).random((60, 8)) < 0.4, 1.0, 0.0)
    rows[:, 0] = 0
    labels = rows[:, 1].astype(int)
    make = getattr(sp, form)
    assert len(set(Table(make(rows), np.float32).keys())) == len(np.unique(rows, axis=0))
    model = deep(batch_size=100)
    wanted = model.fit(rows, labels).predict_proba(rows)
    np.testing.assert_array_equal(model.fit(make(rows), labels).predict_proba(rows), wanted)


# pandas ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pd():
    return pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def frame(pd):
    """Nullable columns under dates in reverse order."""
    dates = pd.date_range("2020", periods=len(X))[::-1]
    return pd.DataFrame(X, columns=list("abcde"), index=dates).convert_dtypes()


def test_labels_may_be_words_of_any_type_under_early_stopping(pd):
    wanted = deep(early_stopping=True).fit(X, WORDS).predict(X)
    for labels in (
        WORDS.astype(object),
        WORDS.tolist(),
        pd.Series(WORDS, dtype="string"),
        pd.Series(WORDS).astype("category"),
        pd.Series(WORDS, index=range(7, 7 + len(WORDS))),
    ):
        model = deep(early_stopping=True).fit(X, labels)
        assert set(model.classes_) == {"low", "mid", "high"}
        np.testing.assert_array_equal(np.asarray(model.predict(X), str), wanted)


def test_labels_may_be_truth_values_under_early_stopping():
    model = deep(early_stopping=True).fit(X, CODES > 0)
    assert model.predict(X).dtype == bool


def test_nullable_columns_and_labels_are_read(pd, frame):
    wanted = deep().fit(X, CODES).predict(X)
    for labels in (
        pd.Series(CODES).astype("Int64"),
        pd.Series(CODES).astype("Float64"),
        pd.Series(CODES).astype("category"),
        pd.Series(CODES, index=frame.index),
    ):
        model = deep().fit(frame, labels)
        np.testing.assert_array_equal(model.predict(frame), wanted)
        assert model.score(frame, labels) == np.mean(wanted == CODES)


def test_columns_in_another_order_are_refused(frame):
    model = deep().fit(frame, CODES)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])


def test_series_may_be_frames_or_lists_of_them(pd, frame):
    y = X[:, 0]
    make = ESTIMATORS["echo regressor"]
    wanted = make().fit(X, y).score(X, y)
    nullable = pd.Series(y).convert_dtypes()
    assert make().fit(frame, nullable).score(frame, nullable) == pytest.approx(wanted, abs=1e-12)
    parts, targets = [frame[:70], frame[70:]], [y[:70, None], y[70:, None]]
    found = make().fit(parts, targets).predict([frame])[0]
    arrays = make().fit([X[:70], X[70:]], targets).predict([X])[0]
    np.testing.assert_array_equal(found, arrays)
    kinds = pd.Series(list("aba"), index=[5, 6, 7])
    model = ESTIMATORS["echo classifier"]().fit([frame[:50], frame[50:100], frame[100:]], kinds)
    assert model.predict([frame[:50]])[0] in {"a", "b"}


def test_polars_frames_are_read():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({name: X[:, i] for i, name in enumerate("abcde")})
    wanted = deep().fit(X, CODES).predict(X)
    np.testing.assert_array_equal(deep().fit(table, pl.Series(CODES)).predict(table), wanted)
