"""Deep estimators on a device are those on the host, whatever arrays they are given."""

import pickle

import numpy as np
import pytest
from device_array import transfers

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    attach,
    load,
    predict_many,
    save,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6))
Y = np.arange(200) % 3
TARGETS = np.stack([X[:, 0] * 3 + 10, X[:, 1] - X[:, 2]], axis=1)
# In float64 the two differ by rounding alone; and no step is a tie for rounding to decide.
PARAMS = {"hidden_layer_sizes": (16, 8), "max_iter": 3, "random_state": 0, "dtype": "float64"}
CASES = {
    "plain": {},
    "one batch": {"batch_size": 500},
    "dropout": {"dropout": 0.2, "adapter_dropout": 0.1, "layer_norm": True},
    "stopped early": {"early_stopping": True, "ema_decay": 0.9, "max_grad_norm": 1.0},
    "dora": {"adapter": "dora", "activation": "gelu"},
    "packed": {"scaffold": "binary", "storage": "packed"},
    "hadamard": {"scaffold": "hadamard", "optimizer": "sgd"},
}


@pytest.fixture(autouse=True)
def both(both_devices):
    pass


@pytest.fixture(params=["NumPy", "CuPy"])
def given(request, cupy):
    """What makes an array into what the user gives, and what brings it back."""

    def put(value):
        return value if request.param == "NumPy" else cupy.asarray(value)

    def back(value):
        assert type(value) is (np.ndarray if request.param == "NumPy" else cupy.ndarray)
        return value if request.param == "NumPy" else value.get()

    put.back = back
    return put


@pytest.mark.parametrize("params", CASES.values(), ids=CASES)
def test_a_classifier_does_on_a_device_what_it_does_on_the_host(params, given):
    host = DeepReservoirClassifier(**PARAMS, **params).fit(X, Y)
    device = DeepReservoirClassifier(**PARAMS, **params, device="cuda").fit(given(X), given(Y))
    assert device.network_.device == "cuda"
    for method in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
        found = given.back(getattr(device, method)(given(X)))
        np.testing.assert_allclose(found, getattr(host, method)(X), rtol=1e-6, atol=1e-8)
    assert device.score(given(X), given(Y)) == host.score(X, Y)
    host.partial_fit(X, Y) if not host.early_stopping else None
    device.partial_fit(given(X), given(Y)) if not host.early_stopping else None
    found = given.back(device.predict_proba(given(X)))
    np.testing.assert_allclose(found, host.predict_proba(X), rtol=1e-6, atol=1e-8)


def test_a_regressor_does_on_a_device_what_it_does_on_the_host(given):
    weights = RNG.uniform(0, 1, 200) * (np.arange(200) > 9)
    for y in (TARGETS, TARGETS[:, 0]):
        host = DeepReservoirRegressor(**PARAMS).fit(X, y, weights)
        device = DeepReservoirRegressor(**PARAMS, device="cuda")
        device.fit(given(X), given(y), given(weights))
        found = given.back(device.predict(given(X)))
        np.testing.assert_allclose(found, host.predict(X), rtol=1e-6)
        assert device.score(given(X), given(y)) == pytest.approx(host.score(X, y))


def test_kinds_that_are_mixed_are_named(cupy):
    model = DeepReservoirClassifier(**PARAMS, device="cuda")
    with pytest.raises(TypeError, match=r"X is a \w+.ndarray and y is a numpy.ndarray"):
        model.fit(cupy.asarray(X), Y)
    with pytest.raises(TypeError, match="but the estimator computes on the CPU"):
        DeepReservoirClassifier(**PARAMS).fit(cupy.asarray(X), cupy.asarray(Y))
    words = DeepReservoirClassifier(**PARAMS, device="cuda").fit(X, np.array(list("abc"))[Y])
    with pytest.raises(TypeError, match=r"fit with numbers as classes"):
        words.predict(cupy.asarray(X))
    for bad, message in ((np.full_like(X, np.nan), "contains NaN"), (X[:, 0], "must have 2 axes")):
        with pytest.raises(ValueError, match=message):
            model.fit(cupy.asarray(bad), cupy.asarray(Y))
    with pytest.raises(ValueError, match="X has 4 features"):
        model.fit(X, Y).predict(cupy.asarray(X[:, :4]))


def test_files_and_pickles_are_of_no_device(tmp_path, given):
    device = DeepReservoirClassifier(**PARAMS, device="cuda").fit(X, Y)
    host = DeepReservoirClassifier(**PARAMS).fit(X, Y)
    wanted = device.predict_proba(X)
    there, here = save(device, tmp_path / "there"), save(host, tmp_path / "here")
    assert load(there).network_.device == "cpu"
    np.testing.assert_allclose(load(there).predict_proba(X), wanted, atol=1e-8)
    again = load(here, device="cuda")
    assert again.network_.device == "cuda"
    found = given.back(again.predict_proba(given(X)))
    np.testing.assert_allclose(found, host.predict_proba(X), atol=1e-8)
    found = given.back(load(there, device="cuda").predict_proba(given(X)))
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    loaded = pickle.loads(pickle.dumps(device))
    assert loaded.network_.device == "cpu"
    np.testing.assert_allclose(loaded.predict_proba(X), wanted, atol=1e-12)
    assert loaded.network_.device == "cuda"  # where its parameter says
    pickle.loads(pickle.dumps(device)).partial_fit(given(X), given(Y))


def test_a_model_of_a_device_is_used_where_there_is_none(monkeypatch):
    data = pickle.dumps(DeepReservoirClassifier(**PARAMS, device="cuda").fit(X, Y))
    wanted = DeepReservoirClassifier(**PARAMS).fit(X, Y).predict_proba(X)
    problem = "no CUDA device responds"
    monkeypatch.setattr("deepreservoir.backend.cuda_problem", lambda number=None: problem)
    model = pickle.loads(data)
    np.testing.assert_allclose(model.predict_proba(X), wanted, atol=1e-8)
    with pytest.raises(ValueError, match=r"device='cuda' is not available"):
        model.fit(X, Y)


def test_tenants_share_a_scaffold_of_the_device(tmp_path):
    base = DeepReservoirClassifier(**PARAMS, scaffold_seed=3, device="cuda").fit(X, Y)
    other = attach(base, save(base, tmp_path / "m"))
    other.network_.theta[:] *= 2
    assert other.network_.scaffolds["layers.0"] is base.network_.scaffolds["layers.0"]
    names = np.where(np.arange(200) % 2 == 0, "base", "other")
    found = predict_many({"base": base, "other": other}, X, names)
    np.testing.assert_array_equal(found[::2], base.predict(X)[::2])
    np.testing.assert_array_equal(found[1::2], other.predict(X)[1::2])


def test_tenants_from_pickles_are_served_on_the_device_of_their_parameter():
    base = DeepReservoirClassifier(**PARAMS, scaffold_seed=3, device="cuda").fit(X, Y)
    wanted = base.predict(X)
    models = {name: pickle.loads(pickle.dumps(base)) for name in ("one", "other")}
    found = predict_many(models, X, np.where(np.arange(200) % 2 == 0, "one", "other"))
    np.testing.assert_array_equal(found, wanted)
    assert {model.network_.device for model in models.values()} == {"cuda"}


def test_a_checkpoint_is_of_no_device(tmp_path, monkeypatch):
    from deepreservoir.training import checkpoint

    class Killed(Exception):
        pass

    keep = checkpoint.Checkpoint.save

    def die(self, progress):
        keep(self, progress)
        if progress.epoch == 1:
            raise Killed

    path = tmp_path / "c"
    whole = DeepReservoirClassifier(**PARAMS, device="cuda").fit(X, Y)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SECONDS", 0.0)
        patch.setattr(checkpoint.Checkpoint, "save", die)
        with pytest.raises(Killed):
            DeepReservoirClassifier(**PARAMS, device="cuda").fit(X, Y, checkpoint=path)
    found = DeepReservoirClassifier(**PARAMS, device="cuda").fit(X, Y, checkpoint=path)
    np.testing.assert_array_equal(found.predict_proba(X), whole.predict_proba(X))


def test_losses_are_fetched_some_at_a_time(cupy):
    rows, labels = cupy.asarray(np.tile(X, (10, 1))), cupy.asarray(np.tile(Y, 10))
    moved = []
    for batch in (100, 10):  # 20 and 200 steps
        before = transfers.total
        DeepReservoirClassifier(
            **{**PARAMS, "max_iter": 1}, batch_size=batch, device="cuda", tol=0.0
        ).fit(rows, labels)
        moved.append(transfers.total - before)
    assert moved[1] - moved[0] <= 4  # 180 more steps, four more fetches
