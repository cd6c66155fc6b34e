"""Sparse and dense products of recurrent weights: the same states, chosen by a rule or by name."""

import pickle
from importlib.util import find_spec

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from deepreservoir import EchoStateRegressor, load, save
from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec, compiled
from deepreservoir.esn.recurrent import PRODUCTS, Recurrent

pytestmark = pytest.mark.host(reason="the choice for one series is made on the CPU")
RNG = np.random.default_rng(0)
WAVE = np.sin(np.arange(300) / 5)[:, None]


@pytest.fixture(params=[False, True], ids=["NumPy", "numba"])
def numba(request, monkeypatch):
    """Run a test with compiled loops and without."""
    if request.param and find_spec("numba") is None:
        pytest.skip("numba is not installed")
    monkeypatch.setattr(compiled, "available", lambda: request.param)
    return request.param


def recurrent(units, share, dtype=np.float32, product="auto"):
    """Return weights of which each row has the same number."""
    links = round(share * units)
    columns = np.tile(np.arange(links), units)
    pointers = np.arange(0, links * units + 1, links)
    values = RNG.normal(size=len(columns)) / units
    matrix = scipy.sparse.csr_matrix((values, columns, pointers), shape=(units, units))
    return Recurrent(matrix, 1.0, dtype, product=product)


@pytest.mark.parametrize(
    ("units", "share", "dtype", "one", "several"),
    [
        (100, 0.1, np.float32, "dense", "dense"),
        (500, 0.1, np.float32, "dense", "dense"),
        (500, 0.1, np.float64, "sparse", "dense"),
        (1000, 0.1, np.float32, "sparse", "dense"),
        (1000, 0.2, np.float32, "dense", "dense"),
        (1000, 0.03, np.float32, "sparse", "sparse"),
        (100, 0.03, np.float32, "sparse", "sparse"),
    ],
)
def test_the_choice_depends_on_size_and_share_alone(monkeypatch, units, share, dtype, one, several):
    monkeypatch.setattr(compiled, "available", lambda: False)
    weights = recurrent(units, share, dtype)
    assert weights.product_for() == one
    assert weights.product_for(2) == several


@pytest.mark.parametrize("product", ["sparse", "dense"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_a_choice_by_name_holds_for_any_number_of_series(numba, product, share):
    weights = recurrent(40, share, product=product)
    assert [weights.product_for(n) for n in (1, 3, 100)] == [product] * 3
    assert (weights.links is not None) == (numba and product == "sparse")


def test_structured_weights_have_products_of_their_own():
    reservoir = Reservoir(ReservoirSpec(RecurrentSpec(16, "hadamard")), 1)
    assert reservoir.recurrent.product_for(1) == "structured"


@pytest.mark.parametrize("units", [60, 400])
def test_the_states_are_the_same_to_rounding(numba, units):
    u = RNG.normal(size=(5, 40, 2))
    states = []
    for product in PRODUCTS:
        spec = ReservoirSpec(RecurrentSpec(units), leak_rate=0.6, product=product)
        reservoir = Reservoir(spec, 2, dtype=np.float64, factor=0.9 / np.sqrt(0.1 * units))
        states.append((reservoir.states(u), reservoir.states(u[:1])))
    for several, one in states:
        np.testing.assert_allclose(several, states[0][0], atol=1e-12)
        np.testing.assert_allclose(one, states[0][0][:1], atol=1e-12)


def test_one_series_of_a_large_reservoir_is_what_it_is_among_others(monkeypatch):
    monkeypatch.setattr(compiled, "available", lambda: False)
    reservoir = Reservoir(ReservoirSpec(RecurrentSpec(400)), 1, dtype=np.float64, factor=0.1)
    assert reservoir.recurrent.product_for(1) == "sparse"
    assert reservoir.recurrent.product_for(3) == "dense"
    u = RNG.normal(size=(3, 20, 1))
    np.testing.assert_allclose(reservoir.states(u)[:1], reservoir.states(u[:1]), atol=1e-12)


@pytest.mark.parametrize(
    ("topology", "product", "message"),
    [
        ("random", "fast", "product must be one of .*got 'fast'"),
        ("dense", "sparse", "product must be 'auto' or 'dense' for topology='dense'"),
        ("hadamard", "dense", "product must be 'auto' for topology='hadamard'.*never written out"),
    ],
)
def test_a_product_that_does_not_exist_is_refused(topology, product, message):
    with pytest.raises(ValueError, match=message):
        Reservoir(ReservoirSpec(RecurrentSpec(16, topology), product=product), 1)
    with pytest.raises(ValueError, match=message):
        EchoStateRegressor(16, topology=topology, product=product).fit(WAVE[:-1], WAVE[1:])


@pytest.mark.parametrize("product", PRODUCTS)
def test_copies_and_files_repeat_the_choice(product, tmp_path):
    model = EchoStateRegressor(40, product=product, random_state=0).fit(WAVE[:-1], WAVE[1:])
    wanted = model.predict(WAVE)
    again = clone(model).fit(WAVE[:-1], WAVE[1:])
    path = save(model, tmp_path / "model.safetensors")
    model.set_params(product="auto")  # for the next fit only
    for copy in (again, load(path), pickle.loads(pickle.dumps(model)), model):
        assert copy.reservoir_.parts[0].spec.product == product
        np.testing.assert_array_equal(copy.predict(WAVE), wanted)
    assert load(path).product == product
