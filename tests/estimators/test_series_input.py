"""Bad series get an answer that names the series, what was expected and what came."""

import warnings
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from series_tools import classifier, irregular, regressor
from sklearn.base import clone

from deepreservoir import (
    ArtifactError,
    CfCClassifier,
    CfCFeatures,
    export_onnx,
    irregular_series,
    load,
    save,
)
from deepreservoir.inputs import IrregularSeriesReader

NAN = float("nan")


@pytest.fixture
def data():
    return irregular(12)


def refused(words, X, y, **arguments):
    model = classifier()
    with pytest.raises((ValueError, TypeError), match=words):
        model.fit(X, y, **arguments)
    assert not hasattr(model, "network_")


def changed(times, i, step, value):
    return [t if k != i else np.r_[t[:step], value, t[step + 1 :]] for k, t in enumerate(times)]


def test_times_that_decrease_or_repeat(data):
    X, times, y = data
    late = changed(times, 3, 2, times[3][1] - 0.5)
    refused(r"times of X\[3\] decrease: step 2 is at .* after .*sort the steps", X, y, times=late)
    same = changed(times, 4, 2, times[4][1])
    refused(r"times of X\[4\] repeat: step 2 .*merge those of one time", X, y, times=same)
    refused(
        r"times of X\[1\] must be finite; step 1 has nan", X, y, times=changed(times, 1, 1, NAN)
    )


def test_times_of_another_form(data):
    X, times, y = data
    refused("times must have one entry per series of X, 12; got 11", X, y, times=times[1:])
    wrong = [*times[:5], times[5][:-1], *times[6:]]
    refused(rf"times of X\[5\] must have shape \({len(X[5])},\)", X, y, times=wrong)
    words = [np.array(["a"] * len(t)) for t in times]
    refused(r"times of X\[0\] must be numbers or dates; got \['a'\]", X, y, times=words)
    dates = [np.array(["2026-01-01"] * len(t), "M8[D]") for t in times]
    refused(r"times of X\[0\] repeat", X, y, times=dates)
    missing = [np.array(["NaT"] * len(t), "M8[D]") for t in times]
    refused(r"times of X\[0\] have no date at step 0", X, y, times=missing)
    refused(
        "X is an IrregularSeries, which has its times", irregular_series(X, times), y, times=times
    )


def test_series_without_an_observation(data):
    X, times, y = data
    X = [*X[:2], np.full((4, 2), NAN), *X[3:]]
    times = [*times[:2], np.arange(4.0), *times[3:]]
    refused(r"X\[2\] has no observation: expected at least one value.*\(4, 2\)", X, y, times=times)
    refused(r"X\[1\] has no observation.*\(0, 2\)", [X[0], np.zeros((0, 2))], y[:2])


def test_channels(data):
    X, _, y = data
    mixed = [*X[:3], np.ones((4, 3)), *X[4:]]
    refused(r"X\[3\] has 3 channels, but X\[0\] has 2", mixed, y)
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match="X has 3 channels, but CfCClassifier is expecting 2"):
        model.predict([np.ones((4, 3))])
    with pytest.raises(ValueError, match="X has 1 channels, but CfCClassifier is expecting 2"):
        model.predict(np.ones((3, 5)))


def test_columns_of_frames(data):
    pd = pytest.importorskip("pandas")
    X, _, y = data
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    frames[7] = frames[7][["b", "a"]]
    refused(r"X\[7\] has the columns b, a, but X\[0\] has a, b", frames, y)
    refused("X is one DataFrame; expected a list.*groupby", frames[0], y)
    named = [pd.DataFrame(x, index=[f"s{i}" for i in range(len(x))]) for x in X]
    refused(r"times of X\[0\] must be numbers or dates.*Pass them as times", named, y)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (np.array([[1.0, np.inf]]), r"X\[1\] has inf at step 0, channel 1: expected a finite"),
        (np.zeros((2, 2, 2)), r"X\[1\] must be 2-D, \(n_steps, n_channels\)"),
        (np.zeros((2, 0)), r"X\[1\] must be 2-D.*at least one channel"),
        (np.array([["a", "b"]]), r"X\[1\] must hold numbers"),
        (np.ones((2, 2)) + 1j, r"X\[1\] must hold real numbers; got dtype complex128"),
        (np.zeros(2), r"list of 1-D arrays.*reshape\(-1, 1\)"),
    ],
)
def test_a_series_in_another_form(item, words):
    refused(words, [np.ones((3, 2)), item], [0, 1])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (3.0, "X must be a list of series"),
        (np.zeros((2, 2, 2, 2)), "X must be a list of series"),
        ([], "X must be a list of series"),
        (np.zeros((0, 3)), "at least one series"),
        (np.array([["a", "b"]]), "X must be a list of series.*dtype <U1"),
    ],
)
def test_x_in_another_form(X, words):
    refused(words, X, [0, 1])


def test_targets(data):
    X, times, y = data
    refused("inconsistent numbers of samples: .*12, 11", X, y[1:], times=times)
    refused("requires y to be passed", X, None)
    assert (classifier().fit(X, np.zeros(12), times=times).predict(X, times=times) == 0).all()
    with pytest.raises(ValueError, match="y must be numeric"):
        regressor().fit(X, np.array(["a", "b"] * 6))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": 0}, "units must be an integer of at least 1; got 0"),
        ({"clip": 0}, "clip must be a positive number or None; got 0"),
        ({"masks": 2}, "masks must be True or False; got 2"),
        ({"time_scale": "hours"}, "time_scale must be 'auto' or a positive number; got 'hours'"),
        ({"time_scale": -1.0}, "time_scale must be"),
        ({"rank": 7}, r"rank must be between 1 and min\(d_in, d_out\) = 6 for cell\.backbone\.0"),
    ],
)
def test_parameters(data, options, words):
    X, _, y = data
    with pytest.raises(ValueError, match=words):
        classifier(**options).fit(X, y)


def test_values_beyond_float32(data):
    X, _, y = data
    huge = [1e300 * x for x in X]
    classifier(max_iter=1).fit(huge, y)  # standardized
    with pytest.raises(ValueError, match="values of X are too large for float32"):
        classifier(standardize=False).fit(huge, y)


def test_a_failed_refit_leaves_the_model(data):
    X, times, y = data
    model = classifier().fit(X, y, times=times)
    before = model.predict(X, times)
    with pytest.raises(ValueError, match="has no observation"):
        model.fit([np.full((2, 2), NAN), *X[1:]], y)
    np.testing.assert_array_equal(model.predict(X, times), before)


def test_a_damaged_reader_in_a_file_is_refused(data, tmp_path):
    from deepreservoir import container

    X, _, y = data
    path = save(classifier().fit(X, y), tmp_path / "model")
    for name, value, words in (
        ("n_channels", 3, "mean must be float64 of shape"),
        ("time_unit", 0.0, "time_unit must be a positive number"),
        ("n_steps", True, "n_steps must be an integer"),
        ("masks", "yes", "masks must be True or False"),
    ):
        contents = container.read(path)
        contents.document["reader"][name] = value
        container.write(tmp_path / "bad", contents)
        with pytest.raises(ArtifactError, match=words):
            load(tmp_path / "bad")
    contents = container.read(path)
    contents.tensors["reader.scale"] = -contents.tensors["reader.scale"]
    container.write(tmp_path / "bad", contents)
    with pytest.raises(ArtifactError, match="a scale positive"):
        load(tmp_path / "bad")
    with pytest.raises(ValueError, match="the state of a reader of series is"):
        IrregularSeriesReader.from_state({"n_channels": 2}, {})


def test_exports_say_why_not(data, tmp_path):
    X, _, y = data
    model = classifier().fit(X, y)
    with pytest.raises(ArtifactError, match="'cfc', whose layers are not all dense"):
        export_onnx(model, tmp_path / "model.onnx")


def test_a_series_collection_can_be_indexed(data):
    X, times, _ = data
    series = irregular_series(X, times)
    assert len(series[3:5]) == 2
    np.testing.assert_array_equal(series[4].values, X[4])
    np.testing.assert_array_equal(series[np.arange(12) == 4].times, times[4])
    np.testing.assert_array_equal(series[[2, 0]].lengths, [len(X[2]), len(X[0])])
    assert sum(len(one) for one in series) == 12
    with pytest.raises(TypeError, match="cannot be an array"):
        np.asarray(series)


def test_labels_that_are_no_classes(data):
    X, times, y = data
    words = r"y must hold class labels, integers or strings; y\[3\] is .*0\.5"
    refused(words, X, np.where(np.arange(12) == 3, 0.5, y), times=times)
    assert classifier(max_iter=1).fit(X, y * 1.0, times=times).classes_.tolist() == [0.0, 1.0]


def test_an_array_of_series_is_read_as_a_list_of_them():
    rng = np.random.default_rng(0)
    series = [rng.standard_normal((n, 2)) for n in (3, 5, 4)]
    array = np.empty(3, object)
    array[:] = series
    found, expected = irregular_series(array), irregular_series(series)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.lengths.tolist() == [3, 5, 4]


@pytest.mark.parametrize("dtype", [float, int])
def test_masked_values_were_not_observed(dtype):
    values = np.arange(12).reshape(2, 3, 2).astype(dtype)
    mask = np.zeros(values.shape, bool)
    mask[0, 1, 0] = mask[1, 2] = True
    masked = np.ma.masked_array(values, mask)
    expected = irregular_series(np.where(mask, NAN, values))
    for X in (masked, list(masked)):
        found = irregular_series(X)
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.lengths.tolist() == [3, 2]


def test_frames_of_complex_numbers_are_refused():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"X\[0\] must hold real numbers; got dtype complex128"):
        irregular_series([pd.DataFrame({"a": [1.0, 2.0], "b": [1j, 2j]})])


def test_features_are_those_of_the_times_that_are_given(data):
    X, times, _ = data
    features = CfCFeatures(6, random_state=0)
    expected = clone(features).fit(X, times=times).transform(X, times=times)
    np.testing.assert_array_equal(clone(features).fit_transform(X, times=times), expected)
    fitted = features.fit(X, times=times)
    with pytest.warns(UserWarning, match="fitted with the times of the steps, and none are given"):
        assert np.abs(fitted.transform(X) - expected).max() > 1e-3


def test_features_are_refused_for_columns_in_another_order(data):
    pandas = pytest.importorskip("pandas")
    X = [pandas.DataFrame(values, columns=["a", "b"]) for values in data[0]]
    features = CfCFeatures(6, random_state=0).fit(X)
    assert features.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="X has the columns b, a, but CfCFeatures is expecting"):
        features.transform([frame[["b", "a"]] for frame in X])


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(each.message) for each in caught if "none are given" in str(each.message)]


@pytest.mark.parametrize("time_scale", ["auto", 2.0])
def test_missing_times_cause_one_warning_however_the_times_of_the_fit_were_given(
    data, time_scale, tmp_path
):
    X, times, y = data
    by_argument = classifier(time_scale=time_scale).fit(X, y, times=times)
    by_series = classifier(time_scale=time_scale).fit(irregular_series(X, times), y)
    for model in (by_argument, by_series):
        assert len(warned(lambda model=model: model.predict(X))) == 1
        assert len(warned(lambda model=model: model.score(X, y))) == 1
        assert not warned(lambda model=model: model.predict(X, times=times))
        assert not warned(lambda model=model: model.predict(irregular_series(X, times)))
    loaded = load(save(by_series, tmp_path / "model.safetensors"))
    assert len(warned(lambda: loaded.predict(X))) == (time_scale == "auto")
    without = classifier(time_scale=time_scale).fit(X, y)
    assert not warned(lambda: without.predict(X))


def test_frames_have_times_unless_their_indices_are_the_default_ones(data):
    pd = pytest.importorskip("pandas")
    X, times, y = data
    model = classifier().fit(X, y, times=times)
    frames = [pd.DataFrame(x, index=t) for x, t in zip(X, times, strict=True)]
    objects = np.empty(len(frames), object)
    objects[:] = frames
    expected = model.predict_proba(X, times=times)
    for own in (frames, pd.Series(frames), objects):
        assert not warned(lambda own=own: model.predict(own))
        np.testing.assert_array_equal(model.predict_proba(own), expected)
    lost = [frame.reset_index(drop=True) for frame in frames]
    for without in (lost, pd.Series(lost)):
        assert len(warned(lambda without=without: model.predict(without))) == 1
        assert not warned(lambda without=without: model.predict(without, times=times))


def test_an_eval_set_without_times_is_warned_of(data):
    X, times, y = data
    model = classifier(max_iter=1)
    found = warned(lambda: model.fit(X, y, times=times, eval_set=(X, y)))
    assert len(found) == 1
    assert "the X_val of eval_set" in found[0]
    assert "Give irregular_series(X_val, times)" in found[0]
    both = irregular_series(X, times), y
    assert not warned(lambda: model.fit(X, y, times=times, eval_set=both))
    assert not warned(lambda: model.fit(X, y, eval_set=(X, y)))


DAYS = [datetime(2026, 1, day, tzinfo=None) for day in (1, 3, 4)]
AWARE = [day.replace(tzinfo=timezone(timedelta(hours=2))) for day in DAYS]


@pytest.mark.parametrize(
    "times",
    [
        DAYS,
        AWARE,
        [DAYS, AWARE],
        [[day.date() for day in DAYS], np.array(DAYS, "datetime64[D]")],
        np.array(AWARE, object),
    ],
)
def test_times_may_be_dates_in_any_form(times):
    series = irregular_series([np.ones((3, 1)), np.ones((3, 1))], times)
    np.testing.assert_array_equal(series.times, 86_400 * np.array([0.0, 2, 3, 0, 2, 3]))


@pytest.mark.parametrize("unit", ["M", "Y"])
def test_months_and_years_begin_at_their_first_day(unit):
    times = np.array(["2024-01-01", "2025-01-01", "2026-01-01"], f"M8[{unit}]")
    series = irregular_series([np.ones((3, 1))], [times])
    np.testing.assert_array_equal(series.times, 86_400 * np.array([0.0, 366, 366 + 365]))


def test_durations_may_be_objects():
    pd = pytest.importorskip("pandas")
    of_python = [timedelta(seconds=1), timedelta(minutes=1)]
    of_pandas = list(pd.to_timedelta([1, 60], unit="s"))
    for times in (of_python, of_pandas, pd.to_timedelta([1, 60], unit="s")):
        series = irregular_series([np.ones((2, 1))], [times])
        np.testing.assert_array_equal(series.times, [1.0, 60.0])


def test_missing_dates_and_durations_are_named():
    pd = pytest.importorskip("pandas")
    for first in (DAYS[0], AWARE[0], pd.Timestamp(DAYS[0]), timedelta(1)):
        for missing in (pd.NaT, None):
            with pytest.raises(ValueError, match=r"times of X\[0\] have no date at step 1"):
                irregular_series([np.ones((2, 1))], [[first, missing]])


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_nanoseconds_are_kept(zone):
    pd = pytest.importorskip("pandas")
    stamps = pd.to_datetime([1_700_000_000_000_000_001, 1_700_000_000_000_000_004])
    stamps = stamps if zone is None else stamps.tz_localize(zone)
    for times in (stamps, list(stamps), stamps.astype(object)):
        series = irregular_series([np.ones((2, 1))], [times])
        np.testing.assert_allclose(series.times, [0.0, 3e-9])


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_integers_beyond_float64_are_counted_from_the_first_step(dtype):
    large = np.array([2**62 + 1, 2**62 + 2, 2**62 + 7], dtype)
    assert irregular_series([np.ones((3, 1))], [large]).times.tolist() == [0.0, 1.0, 6.0]
    with pytest.raises(ValueError, match=r"times of X\[0\] decrease: step 1"):
        irregular_series([np.ones((3, 1))], [large[::-1]])
    small = np.array([5, 7, 8], dtype)
    assert irregular_series([np.ones((3, 1))], [small]).times.tolist() == [5.0, 7.0, 8.0]


def test_dates_with_and_without_a_time_zone_are_not_mixed():
    with pytest.raises(ValueError, match="must all have a time zone, or none of them"):
        irregular_series([np.ones((2, 1))], [[DAYS[0], AWARE[1]]])


def test_parts_without_times_are_warned_of_as_predictions_are():
    X = [np.random.default_rng(i).normal(size=(5, 1)) for i in range(20)]
    y = np.arange(20) % 2
    times = [np.arange(5) * 10.0] * 20
    model = CfCClassifier(max_iter=1, random_state=0)
    model.partial_fit(X, y, classes=[0, 1], times=times)
    with pytest.warns(UserWarning, match="fitted with the times of the steps"):
        model.partial_fit(X, y)
