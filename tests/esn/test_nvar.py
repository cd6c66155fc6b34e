"""NVAR: columns computed by hand and by scikit-learn, and independence of series."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from deepreservoir.esn.nvar import NVAR

preprocessing = pytest.importorskip("sklearn.preprocessing")
pytestmark = pytest.mark.host(reason="next-generation features are made on the CPU")


def values(*shape, dtype=np.float64, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(dtype)


def taps_by_hand(series, delays, stride):
    warmup = (delays - 1) * stride
    rows = [
        [series[t - tap * stride, i] for tap in range(delays) for i in range(series.shape[1])]
        for t in range(warmup, len(series))
    ]
    return np.array(rows)


def test_columns_of_two_features_by_hand():
    a, b, c, d, e, f = 2.0, 3.0, 5.0, 7.0, 11.0, 13.0
    row = NVAR(delays=2, stride=2).transform(np.array([[a, b], [c, d], [e, f]]))
    squares = [e * e, e * f, e * a, e * b, f * f, f * a, f * b, a * a, a * b, b * b]
    np.testing.assert_array_equal(row, [[1, e, f, a, b, *squares]])


def test_cubes_of_one_feature_by_hand():
    row = NVAR(delays=2, order=3, constant=False).transform([[2.0], [3.0]])
    np.testing.assert_array_equal(row, [[3, 2, 27, 18, 12, 8]])


@pytest.mark.parametrize(("d", "delays", "stride"), [(1, 1, 1), (3, 2, 1), (2, 3, 4), (1, 5, 2)])
@pytest.mark.parametrize("order", [2, 3, (2, 3), (3, 2), (4,), (2, 4), ()])
@pytest.mark.parametrize("constant", [True, False])
def test_columns_equal_those_of_scikit_learn(d, delays, stride, order, constant):
    series = values(40, d)
    nvar = NVAR(delays, stride, order, constant)
    linear = taps_by_hand(series, delays, stride)
    degrees = order if isinstance(order, tuple) else (order,)
    blocks = [np.ones((len(linear), 1))] if constant else []
    blocks.append(linear)
    for degree in degrees:
        powers = preprocessing.PolynomialFeatures((degree, degree), include_bias=False)
        blocks.append(powers.fit_transform(linear))
    expected = np.hstack(blocks)
    found = nvar.transform(series)
    assert found.shape == (40 - nvar.warmup, nvar.n_features(d)) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("order", [2, (2, 3)])
def test_a_long_series_is_computed_in_blocks(order):
    # Long and wide enough that the work is done in blocks of time.
    nvar, series = NVAR(3, 2, order), values(6000, 4)
    whole = nvar.transform(series)
    for t in (0, 63, 64, 511, 3000, 5995):
        alone = nvar.transform(series[t : t + nvar.warmup + 1])
        np.testing.assert_array_equal(whole[t : t + 1], alone)
    assert whole.flags.c_contiguous


def test_names_evaluate_to_the_columns():
    series, nvar = values(9, 2), NVAR(2, 3, (2, 3))
    names, rows = nvar.feature_names(2), nvar.transform(series)
    assert len(set(names)) == len(names) == nvar.n_features(2)
    for i, t in enumerate(range(nvar.warmup, 9)):
        for name, value in zip(names, rows[i], strict=True):
            code = name.replace("(", "[").replace(")", "]").replace(" ", "*").replace("^", "**")
            spaces = {"x0": series[:, 0], "x1": series[:, 1], "t": t}
            assert value == pytest.approx(eval(code, spaces), rel=1e-13)


def test_names_of_the_default():
    assert NVAR().feature_names(1) == [
        *("1", "x0(t)", "x0(t-1)", "x0(t)^2", "x0(t) x0(t-1)", "x0(t-1)^2")
    ]


def test_calls_are_independent():
    first, second = values(20, 2, seed=1), values(20, 2, seed=2)
    nvar = NVAR(3, 2)
    alone = nvar.transform(second)
    nvar.transform(first)
    np.testing.assert_array_equal(nvar.transform(second), alone)
    joined = nvar.transform(np.vstack([first, second]))
    assert len(joined) == len(alone) + len(first)


def test_a_row_depends_only_on_its_taps():
    nvar, series = NVAR(2, 3), values(12, 1)
    whole = nvar.transform(series)
    changed = series.copy()
    changed[5] += 1.0
    rows = np.flatnonzero((nvar.transform(changed) != whole).any(axis=1)) + nvar.warmup
    assert rows.tolist() == [5, 8]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int16, np.float64),
        (bool, np.float64),
    ],
)
def test_float32_is_kept_and_other_types_become_float64(dtype, expected):
    assert NVAR().transform(values(5, 1, dtype=dtype)).dtype == expected


def test_small_integers_do_not_overflow():
    np.testing.assert_array_equal(
        NVAR(1).transform(np.array([[100]], np.int8)), [[1.0, 100.0, 10_000.0]]
    )


def test_the_series_is_not_modified():
    series = values(10, 2)
    series.flags.writeable = False
    rows = NVAR().transform(series)
    assert not np.shares_memory(rows, series)


@pytest.mark.parametrize(("delays", "stride"), [(1, 7), (2, 1), (4, 3)])
def test_a_series_of_warmup_and_one_rows_is_the_shortest(delays, stride):
    nvar = NVAR(delays, stride)
    assert nvar.warmup == (delays - 1) * stride
    assert len(nvar.transform(values(nvar.warmup + 1, 1))) == 1
    with pytest.raises(ValueError, match=f"at least {nvar.warmup + 1} rows, .*; got {nvar.warmup}"):
        nvar.transform(values(nvar.warmup, 1))


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.ones(5), r"got shape \(5,\); reshape one variable with series.reshape\(-1, 1\)"),
        (np.ones((2, 5, 1)), r"must be 2-D \(time, features\).*got shape \(2, 5, 1\)$"),
        (np.ones((5, 0)), "at least one feature"),
        (np.array([[1.0], [np.nan], [2.0]]), "series must be finite; row 1 holds NaN"),
        (np.array([[1.0], [2.0], [-np.inf]]), "series must be finite; row 2 holds NaN"),
        (np.ones((5, 1), complex), "must hold real numbers; got an array of complex128"),
        ([["a"], ["b"]], "must hold real numbers; got an array of <U1"),
    ],
)
def test_a_bad_series_is_refused(series, message):
    with pytest.raises(ValueError, match=message):
        NVAR().transform(series)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delays": 0}, "delays must be a positive integer; got 0"),
        ({"delays": 2.0}, "delays must be a positive integer; got 2.0"),
        ({"stride": -1}, "stride must be a positive integer; got -1"),
        ({"stride": True}, "stride must be a positive integer; got True"),
        ({"order": 1}, "order must be a degree of at least 2"),
        ({"order": (2, 1)}, "order must be a degree of at least 2"),
        ({"order": [2, 3]}, r"a tuple of such degrees; .*; got \[2, 3\]"),
        ({"order": (2, 2)}, r"order must not repeat a degree; got \(2, 2\)"),
        ({"constant": 1}, "constant must be True or False; got 1"),
    ],
)
def test_bad_parameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        NVAR(**options)


def test_a_bad_number_of_features_is_refused():
    for ask in (NVAR().n_features, NVAR().feature_names):
        with pytest.raises(ValueError, match="d must be a positive integer; got 0"):
            ask(0)


def test_objects_compare_by_value():
    nvar = NVAR(3, 2, (2, 3), False)
    assert pickle.loads(pickle.dumps(nvar)) == nvar != NVAR(3, 2, (2, 3), True)
    with pytest.raises(FrozenInstanceError):
        nvar.delays = 4


def test_a_ridge_on_nvar_learns_a_quadratic_map_exactly():
    # The Henon map in one variable: x(t+1) = 1 - 1.4 x(t)^2 + 0.3 x(t-1), all of it a column.
    x = [0.1, 0.2]
    for _ in range(200):
        x.append(1 - 1.4 * x[-1] ** 2 + 0.3 * x[-2])
    series, nvar = np.array(x)[:, None], NVAR()
    weights, *_ = np.linalg.lstsq(nvar.transform(series[:-1]), series[2:], rcond=None)
    found = dict(zip(nvar.feature_names(1), weights[:, 0].round(9), strict=True))
    assert {name: weight for name, weight in found.items() if weight} == {
        "1": 1.0,
        "x0(t)^2": -1.4,
        "x0(t-1)": 0.3,
    }


def test_a_frame_keeps_its_labels_and_names():
    import pandas as pd

    days = pd.date_range("2024-01-01", periods=6)
    frame = pd.DataFrame({"a": np.arange(6.0), "b": np.ones(6)}, index=days)
    features = NVAR(delays=2, stride=2, order=())
    found = features.transform(frame)
    np.testing.assert_array_equal(found.to_numpy(), features.transform(frame.to_numpy()))
    assert list(found.columns) == ["1", "a(t)", "b(t)", "a(t-2)", "b(t-2)"]
    pd.testing.assert_index_equal(found.index, days[2:], check_freq=False)
