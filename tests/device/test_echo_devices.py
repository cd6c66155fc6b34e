"""Echo-state estimators on a device are those on the host, whatever arrays they are given."""

import pickle

import numpy as np
import pytest
from device_array import transfers
from sklearn.linear_model import LogisticRegression, Ridge

from deepreservoir import EchoStateClassifier, EchoStateRegressor
from deepreservoir.esn import (
    TOPOLOGIES,
    IntrinsicPlasticity,
    RecurrentSpec,
    Reservoir,
    ReservoirSpec,
    ReservoirStack,
    compiled,
    echo_state_index,
    memory_capacity,
)

RNG = np.random.default_rng(0)
WAVE = np.c_[np.sin(np.arange(160) / 5), np.cos(np.arange(160) / 7)] + 0.01 * RNG.normal(
    size=(160, 2)
)
ONE = WAVE[:-1], WAVE[1:]
STACK = RNG.normal(size=(3, 40, 2)), RNG.normal(size=(3, 40, 2))
LIST = [WAVE[:60], WAVE[60:100], WAVE[100:140]], [WAVE[1:61], WAVE[61:101], WAVE[101:141]]
FORMS = {"one": ONE, "stack": STACK, "list": LIST}

PERIODS = np.array([np.sin(np.arange(30) / (3 if i % 2 else 4) + i) for i in range(24)])
CLASSES = np.arange(24) % 2

REGRESSORS = {
    **{topology: {"topology": topology} for topology in TOPOLOGIES},
    "dense in parts": {"density": 0.5, "leak_rate": 0.5},
    "relu": {"activation": "relu", "leak_rate": 0.4, "spectral_radius": 0.5},
    "deep": {"units": (20, 15), "leak_rate": 0.5, "bias_scaling": 0.3},
    "grouped": {"units": (20, 15), "arrangement": "grouped"},
    "feedback": {"feedback": True, "leak_rate": 0.5},
    "noise": {"noise": 0.01},
    "deep, feedback and noise": {"units": (20, 15), "feedback": True, "noise": 0.01},
    "plasticity": {"plasticity": 2},
    # With a penalty at which the loop of outputs and inputs does not blow rounding up.
    "plasticity with feedback": {
        "plasticity": 2,
        "units": (16, 10),
        "feedback": True,
        "ridge": 1.0,
    },
    "path": {"ridge": (1e-6, 1e-3, 1e-1)},
    "held out": {"ridge": (1e-6, 1e-3, 1e-1), "validation_fraction": 0.25},
    "no penalty": {"ridge": 0.0, "topology": "ring"},
    "rls": {"readout": "rls"},
    "lms": {"readout": "lms"},
    "scikit-learn": {"readout": Ridge(1e-2)},
}
CLASSIFIERS = {
    "last": {"features": "last"},
    "mean": {"features": "mean", "washout": 2},
    "shares": {"features": (0.3, 1.0)},
    "output model": {"features": "output_model", "n_components": 8},
    "reservoir model": {"features": "reservoir_model", "n_components": 8},
    "all units": {"features": "output_model", "n_components": None, "washout": 3},
    "plasticity and noise": {"plasticity": 2, "noise": 0.01},
    "rls": {"readout": "rls"},
    "scikit-learn": {"readout": LogisticRegression()},
}


@pytest.fixture(autouse=True)
def same_loops(both_devices, monkeypatch):
    monkeypatch.setattr(compiled, "available", lambda: False)


@pytest.fixture(params=["NumPy", "CuPy"])
def given(request, cupy):
    """What makes an array, or a list of them, into what the user gives, and what brings it back."""

    def put(value):
        if request.param == "NumPy":
            return value
        return [put(v) for v in value] if isinstance(value, list) else cupy.asarray(value)

    def back(value):
        if isinstance(value, list):
            return [back(v) for v in value]
        assert type(value) is (np.ndarray if request.param == "NumPy" else cupy.ndarray)
        return value if request.param == "NumPy" else value.get()

    put.back = back
    return put


def regressor(device, **params):
    options = {"units": 32, "washout": 10, "ridge": 1e-3, "random_state": 0, "dtype": "float64"}
    return EchoStateRegressor(**{**options, **params}, device=device)


def classifier(device, **params):
    return EchoStateClassifier(**{"units": 24, "random_state": 0, **params}, device=device)


def assert_same(found, wanted, tolerance=1e-8):
    assert type(found) is type(wanted)
    for ours, theirs in (
        zip(found, wanted, strict=True) if isinstance(found, list) else [(found, wanted)]
    ):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_many_forecasts_of_one_series_are_those_of_the_host(given):
    X, y = ONE
    host = regressor("cpu").fit(X, y)
    device = regressor("cuda").fit(given(X), given(y))
    starts = [1, len(X) // 2, len(X)]
    found = given.back(device.historical_forecasts(4, given(X), starts))
    assert_same(found, host.historical_forecasts(4, X, starts), 1e-6)


# Whose parts are among the usual tests one by one.
TOGETHER = {"deep, feedback and noise", "plasticity with feedback"}


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(params, id=name, marks=pytest.mark.slow if name in TOGETHER else ())
        for name, params in REGRESSORS.items()
    ],
)
def test_a_regressor_does_on_a_device_what_it_does_on_the_host(params, given):
    for X, y in (ONE, LIST):
        host = regressor("cpu", **params).fit(X, y)
        device = regressor("cuda", **params).fit(given(X), given(y))
        assert_same(given.back(device.predict(given(X))), host.predict(X))
        assert_same(given.back(device.forecast(5)), host.forecast(5), 1e-6)
        assert_same(given.back(device.forecast(5, given(X))), host.forecast(5, X), 1e-6)
    assert_same(given.back(device.states(given(X))), host.states(X))
    if isinstance(host.readout, str):
        host.partial_fit(*ONE)
        device.partial_fit(*map(given, ONE))
        assert_same(given.back(device.predict(given(X))), host.predict(X))


@pytest.mark.parametrize("form", FORMS)
def test_arrays_come_back_in_the_form_in_which_they_came(form, given):
    X, y = FORMS[form]
    host, device = regressor("cpu").fit(X, y), regressor("cuda").fit(given(X), given(y))
    for method in ("predict", "states"):
        found = given.back(getattr(device, method)(given(X)))
        assert_same(found, getattr(host, method)(X))
    flat = [t[:, 0] for t in y] if form == "list" else y[..., 0]
    found = regressor("cuda").fit(given(X), given(flat)).predict(given(X))
    assert_same(given.back(found), regressor("cpu").fit(X, flat).predict(X))


def test_single_precision_is_the_same_to_rounding(given):
    for topology in ("random", "dense", "hadamard"):
        host = regressor("cpu", dtype="float32", topology=topology).fit(*ONE)
        device = regressor("cuda", dtype="float32", topology=topology).fit(*map(given, ONE))
        assert_same(given.back(device.predict(given(ONE[0]))), host.predict(ONE[0]), 1e-4)


def test_known_inputs_lead_a_forecast(given):
    X, y = WAVE[:-1], WAVE[1:, :1]
    inputs = RNG.normal(size=(3, 6, 2))
    host = regressor("cpu", feedback=True).fit(X, y)
    device = regressor("cuda", feedback=True).fit(given(X), given(y))
    found = device.forecast(6, inputs=given(inputs[0]))
    assert_same(given.back(found), host.forecast(6, inputs=inputs[0]), 1e-6)
    found = device.forecast(6, given(STACK[0]), inputs=given(inputs))
    assert_same(given.back(found), host.forecast(6, STACK[0], inputs=inputs), 1e-6)
    with pytest.raises(ValueError, match="inputs contains NaN"):
        device.forecast(6, inputs=given(inputs[0] * np.nan))


@pytest.mark.parametrize("params", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_a_classifier_does_on_a_device_what_it_does_on_the_host(params, given):
    host = classifier("cpu", **params).fit(PERIODS, CLASSES)
    device = classifier("cuda", **params).fit(given(PERIODS), given(CLASSES))
    X = given(PERIODS)
    assert_same(given.back(device.predict_proba(X)), host.predict_proba(PERIODS), 1e-6)
    assert_same(given.back(device.predict(X)), host.predict(PERIODS))
    assert_same(given.back(device.states(X)), host.states(PERIODS))
    assert device.score(X, given(CLASSES)) == host.score(PERIODS, CLASSES)


def test_series_of_several_variables_and_of_any_length_are_classified(given):
    wide = np.stack([PERIODS, PERIODS**2], axis=2)
    for X in (wide, [series[: 20 + i % 3] for i, series in enumerate(wide)]):
        host = classifier("cpu").fit(X, CLASSES)
        device = classifier("cuda").fit(given(X), given(CLASSES))
        assert_same(given.back(device.predict_proba(given(X))), host.predict_proba(X))


def test_a_score_is_a_number_on_every_device(given):
    host = regressor("cpu").fit(*ONE)
    device = regressor("cuda").fit(*map(given, ONE))
    assert device.score(*map(given, ONE)) == pytest.approx(host.score(*ONE), abs=1e-8)
    weights = np.arange(159.0)
    wanted = host.score(*ONE, sample_weight=weights)
    found = device.score(*map(given, ONE), sample_weight=given(weights))
    assert found == pytest.approx(wanted, abs=1e-8)


def test_a_pickle_is_of_no_device(given, cupy):
    X = ONE[0]
    params = {"units": (20, 15), "plasticity": 1, "feedback": True}
    model = regressor("cuda", **params).fit(*map(given, ONE))
    wanted, future = given.back(model.predict(given(X))), given.back(model.forecast(4))
    data = pickle.dumps(model)
    assert cupy.ndarray.__module__.encode() not in data
    loaded = pickle.loads(data)
    assert loaded.reservoir_.device == "cpu"
    assert_same(given.back(loaded.predict(given(X))), wanted)
    assert loaded.reservoir_.device == "cuda"  # where its parameter says
    assert_same(given.back(loaded.forecast(4)), future, 1e-6)
    assert loaded.get_params() == model.get_params()
    model.partial_fit(*map(given, ONE))  # only then a pickle holds what more rows are added to
    pickle.loads(pickle.dumps(model)).partial_fit(*map(given, ONE))


def test_a_model_of_a_device_is_used_where_there_is_none(monkeypatch):
    X = ONE[0]
    model, reader = regressor("cuda").fit(*ONE), classifier("cuda").fit(PERIODS, CLASSES)
    wanted, shares = model.predict(X), reader.predict_proba(PERIODS)
    data = pickle.dumps((model, reader))
    problem = "no CUDA device responds"
    monkeypatch.setattr("deepreservoir.backend.cuda_problem", lambda number=None: problem)
    model, reader = pickle.loads(data)
    assert_same(model.predict(X), wanted)
    assert_same(reader.predict_proba(PERIODS), shares, 1e-6)
    assert model.forecast(3).shape == (3, 2)
    with pytest.raises(ValueError, match=r"device='cuda' is not available.*device='cpu'"):
        model.fit(*ONE)


def test_a_fitted_model_follows_its_parameter(cupy):
    model = regressor("cpu").fit(*ONE)
    wanted = model.predict(ONE[0])
    model.set_params(device="cuda")
    there = model.predict(cupy.asarray(ONE[0]))
    assert_same(there.get(), wanted)
    assert isinstance(model.readout_.coef, cupy.ndarray)
    model.set_params(device="cpu")
    assert_same(model.predict(ONE[0]), wanted)
    assert type(model.readout_.coef) is np.ndarray


def test_mixes_and_device_arrays_on_the_cpu_are_refused(cupy):
    X, y = ONE
    there = cupy.asarray(X), cupy.asarray(y)
    for model in (regressor("cuda"), classifier("cuda")):
        with pytest.raises(TypeError, match="all arrays must be of one kind"):
            model.fit(X, there[1])
        with pytest.raises(TypeError, match="all arrays must be of one kind"):
            model.fit([there[0], X], [y, y])
    model = regressor("cuda").fit(*ONE)
    with pytest.raises(TypeError, match="all arrays must be of one kind"):
        model.forecast(3, X, inputs=there[0][:3])
    with pytest.raises(TypeError, match="all arrays must be of one kind"):
        model.score(there[0], y)
    for model in (regressor("cpu"), classifier("cpu")):
        with pytest.raises(TypeError, match=r"computes on the CPU.*Set device='cuda'"):
            model.fit(*there)
    model = regressor("cpu").fit(*ONE)
    with pytest.raises(TypeError, match=r"computes on the CPU.*Set device='cuda'"):
        model.predict(there[0])


def test_bad_device_arrays_are_refused(cupy):
    X, y = (cupy.asarray(part) for part in ONE)
    with pytest.raises(ValueError, match="X contains NaN or infinity"):
        regressor("cuda").fit(X * np.inf, y)
    with pytest.raises(ValueError, match=r"y\[1\] contains NaN or infinity"):
        regressor("cuda").fit([X, X], [y, y * np.nan])
    with pytest.raises(ValueError, match=r"every series must have 2 features; X\[1\] has 1"):
        regressor("cuda").fit([X, X[:, :1]], [y, y])
    model = regressor("cuda").fit(X, y)
    with pytest.raises(ValueError, match=r"X has 1 features, but .* is expecting 2"):
        model.predict(X[:, :1])


def test_classes_that_are_no_numbers_come_back_on_the_host_only(cupy):
    names = np.array(["slow", "fast"])[CLASSES]
    model = classifier("cuda").fit(PERIODS, names)
    assert (model.predict(PERIODS) == names).mean() > 0.9
    with pytest.raises(TypeError, match="pass X as a NumPy array"):
        model.predict(cupy.asarray(PERIODS))


def reservoirs():
    specs = [
        ReservoirSpec(
            RecurrentSpec(32, topology, path=f"r{i}"), leak_rate=0.5, noise=0.1, bias_scaling=0.2
        )
        for i, topology in enumerate(TOPOLOGIES)
    ]
    return ReservoirStack(specs, 2, 1, "deep", device="cuda")


def test_nothing_moves_while_a_reservoir_runs(cupy):
    stack = reservoirs()
    u, back = cupy.asarray(RNG.normal(size=(2, 50, 2))), cupy.asarray(RNG.normal(size=(2, 50, 1)))
    before = transfers.total
    for _ in stack.blocks(u, feedback=back, noise_seed=3):
        pass
    assert transfers.total == before


@pytest.mark.parametrize("length", [30, 120])
def test_what_moves_does_not_grow_with_time(length, cupy):
    X, y = cupy.asarray(WAVE[:length]), cupy.asarray(WAVE[1 : length + 1])
    model = regressor("cuda", units=(16, 16), noise=0.01, feedback=True, plasticity=1).fit(X, y)
    moved = {}
    for name, call in {
        "fit": lambda: model.fit(X, y),
        "predict": lambda: model.predict(X),
        "forecast": lambda: model.forecast(length),
    }.items():
        before = transfers.total
        call()
        moved[name] = transfers.total - before
    # Weights go there once, each twice: plasticity has them drawn again.
    assert moved["fit"] <= 60
    assert moved["predict"] <= 2
    assert moved["forecast"] == 0


def test_arrays_of_the_host_are_refused_by_a_reservoir_of_a_device(cupy):
    reservoir = Reservoir(ReservoirSpec(RecurrentSpec(16)), 2, device="cuda")
    with pytest.raises(TypeError, match=r"numpy\.ndarray.*to_device or to_host"):
        reservoir.states(np.zeros((1, 5, 2)))
    with pytest.raises(TypeError, match=r"numpy\.ndarray.*to_device or to_host"):
        reservoir.to("cpu").states(cupy.zeros((1, 5, 2)))


def test_a_reservoir_goes_to_a_device_and_back():
    stack = reservoirs()
    IntrinsicPlasticity(epochs=1).tune(
        stack.to("cpu"), [np.zeros((1, 5, 2))], [np.zeros((1, 5, 1))]
    )
    there = stack.to("cpu")
    assert (there.device, there.parts[0].device, stack.device) == ("cpu", "cpu", "cuda")
    assert there.to("cpu") is there
    for ours, theirs in zip(there.parts, stack.parts, strict=True):
        np.testing.assert_allclose(ours.recurrent.dense(), theirs.recurrent.dense(), atol=1e-6)


def test_observables_say_that_they_are_of_the_cpu():
    reservoir = Reservoir(ReservoirSpec(RecurrentSpec(16)), 1, device="cuda")
    with pytest.raises(ValueError, match=r"computed on the CPU.*reservoir\.to\('cpu'\)"):
        memory_capacity(reservoir, 5, n_steps=200)
    with pytest.raises(ValueError, match=r"computed on the CPU.*reservoir\.to\('cpu'\)"):
        echo_state_index(reservoir, np.zeros((20, 1)))
