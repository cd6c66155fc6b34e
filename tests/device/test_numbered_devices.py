"""device="cuda:1": what is computed there, what it leaves as it was, and what is refused."""

import pickle

import numpy as np
import pytest
import standin
import target

from deepreservoir import (
    DeepReservoirClassifier,
    EchoStateRegressor,
    backend,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.kernels import draw_rows
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold

X = np.random.default_rng(0).standard_normal((60, 8))
Y = (X.sum(axis=1) > 0).astype(int)
SERIES = np.random.default_rng(1).standard_normal((80, 2))
DEEP = DeepReservoirClassifier(hidden_layer_sizes=(16,), rank=2, max_iter=2, random_state=0)
ECHO = EchoStateRegressor(units=20, washout=5, random_state=0)


@pytest.fixture
def two(both_devices, monkeypatch):
    """CuPy with two devices, of which the first is current before and after the test."""
    if target.device == "cuda" and not standin.installed():
        if both_devices.cuda.runtime.getDeviceCount() < 2:
            pytest.skip("there is one GPU here")
    else:
        monkeypatch.setattr(standin.devices, "count", 2)
    assert both_devices.cuda.Device().id == 0
    yield both_devices
    assert both_devices.cuda.Device().id == 0


def on(model, device, **params):
    return type(model)(**{**model.get_params(), "device": device, **params})


@pytest.mark.parametrize("storage", ["dense", "packed", "streamed"])
def test_a_network_is_fitted_and_predicts_on_the_device_of_its_number(two, storage):
    first, second = (on(DEEP, name, storage=storage).fit(X, Y) for name in ("cuda", "cuda:1"))
    assert second.network_.device == "cuda:1"
    assert second.network_.theta.device.id == 1
    assert all(s.device == "cuda:1" for s in second.network_.scaffolds.values())
    np.testing.assert_array_equal(second.network_.theta.get(), first.network_.theta.get())
    np.testing.assert_array_equal(second.predict_proba(X), first.predict_proba(X))
    assert second.score(X, Y) == first.score(X, Y)


def test_arrays_of_that_device_stay_there(two):
    with two.cuda.Device(1):
        rows, labels = two.asarray(X), two.asarray(Y)
    model = on(DEEP, "cuda:1").fit(rows, labels)
    assert model.predict(rows).device.id == 1
    np.testing.assert_array_equal(
        model.predict(rows).get(), on(DEEP, "cuda:1").fit(X, Y).predict(X)
    )


def test_a_reservoir_runs_on_the_device_of_its_number(two):
    first, second = (on(ECHO, name).fit(SERIES, SERIES) for name in ("cuda", "cuda:1"))
    assert second.readout_.coef.device.id == 1
    np.testing.assert_array_equal(second.predict(SERIES), first.predict(SERIES))
    assert second.states(SERIES).shape == (80, 20)
    assert second.forecast(3, SERIES).shape == (3, 2)


def test_models_side_by_side_share_the_device(two):
    models = [on(DEEP, "cuda:1", rank=rank, scaffold_seed=3) for rank in (1, 2)]
    fit_many(models, X, Y)
    assert {model.network_.theta.device.id for model in models} == {1}
    found = predict_many(dict(enumerate(models)), X, np.arange(60) % 2)
    np.testing.assert_array_equal(found[::2], models[0].predict(X)[::2])


def test_files_and_pickles_go_to_any_device(two, tmp_path, monkeypatch):
    model = on(DEEP, "cuda:1").fit(X, Y)
    wanted = model.predict_proba(X)
    path = save(model, tmp_path / "m")
    assert load(path).network_.device == "cpu"
    again = load(path, device="cuda:1")
    assert (again.device, again.network_.theta.device.id) == ("cuda:1", 1)
    np.testing.assert_allclose(again.predict_proba(X), wanted, atol=1e-7)
    data = pickle.dumps(model)
    assert pickle.loads(data).predict(X).shape == (60,)
    if standin.installed() or target.device == "cpu":  # where it has one device, that is used
        monkeypatch.setattr(standin.devices, "count", 1)
        moved = pickle.loads(data)
        np.testing.assert_allclose(moved.predict_proba(X), wanted, atol=1e-7)
        assert moved.network_.device == "cuda"
        with pytest.raises(ValueError, match=r"'cuda:1' is not available: CuPy finds 1 CUDA"):
            moved.fit(X, Y)


def test_a_number_that_is_not_there_is_refused_with_those_that_are(two):
    known = two.cuda.runtime.getDeviceCount()
    with pytest.raises(ValueError, match=rf"{known} CUDA devices, cuda:0 to cuda:{known - 1}"):
        on(DEEP, f"cuda:{known}").fit(X, Y)
    with pytest.raises(ValueError, match="is not available"):
        on(ECHO, f"cuda:{known}").fit(SERIES, SERIES)
    assert backend.present_device(f"cuda:{known}") == "cuda"


def test_arrays_are_copied_between_devices_only_when_asked(two):
    there = backend.to_device(np.arange(3.0), "cuda:1")
    assert (there.device.id, backend.device_of(there)) == (1, "cuda:1")
    assert backend.to_device(there, "cuda:1") is there
    here = backend.to_device(there, "cuda:0")
    assert here.device.id == 0
    assert backend.device_of(here) == "cuda"
    np.testing.assert_array_equal(here.get(), there.get())


def test_a_scaffold_is_drawn_where_its_number_says(two):
    spec = ScaffoldSpec("normal", (5, 16), 0, "layers.0")
    with backend.current_device("cuda:1"):
        scaffold = make_scaffold(spec, "streamed", device="cuda:1")
        weights = next(scaffold.product_tiles(np.float32))[1]
    assert weights.device.id == 1
    expected = draw_rows(spec.table, spec.stream.key, 0, 5, 16)
    np.testing.assert_array_equal(weights.get(), expected)
