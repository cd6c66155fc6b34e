"""The compiled loops, compared with the NumPy path as their reference."""

import numpy as np
import pytest
import scipy.sparse

from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec, compiled, threads

pytestmark = pytest.mark.host(reason="the compiled loops are for the CPU")
pytest.importorskip("numba")
RNG = np.random.default_rng(0)


def both(monkeypatch, **options):
    """Return the same reservoir with compiled loops and without."""
    dtype = options.pop("dtype", np.float32)
    recurrent = {name: options.pop(name) for name in ("density", "topology") if name in options}
    spec = ReservoirSpec(RecurrentSpec(101, **recurrent), **options)
    loops = Reservoir(spec, 2, dtype=dtype)
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "available", lambda: False)
        reference = Reservoir(spec, 2, dtype=dtype)
    assert loops.recurrent.links is not None
    assert reference.recurrent.links is None
    return loops, reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("leak_rate", [1.0, 0.3])
def test_states_equal_those_of_numpy(monkeypatch, dtype, activation, leak_rate):
    loops, reference = both(
        monkeypatch, dtype=dtype, activation=activation, leak_rate=leak_rate, bias_scaling=0.5
    )
    for n in (1, 2, 3, 8, 21):
        u = RNG.normal(size=(n, 60, 2))
        actual, expected = loops.states(u), reference.states(u)
        np.testing.assert_allclose(actual, expected, atol=2e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize(
    "options", [{"topology": "ring"}, {"density": 3}, {"topology": "delay_line"}], ids=str
)
def test_rows_with_few_or_no_weights(monkeypatch, options):
    loops, reference = both(monkeypatch, dtype=np.float64, **options)
    u = RNG.normal(size=(5, 50, 2))
    np.testing.assert_allclose(loops.states(u), reference.states(u), atol=1e-13)


def test_states_of_a_series_do_not_depend_on_other_series(monkeypatch):
    loops, _ = both(monkeypatch)
    u = RNG.normal(size=(20, 50, 2))
    whole = loops.states(u)
    np.testing.assert_array_equal(loops.states(u[3:9]), whole[3:9])
    np.testing.assert_array_equal(loops.states(u[::-1])[::-1], whole)


def test_tanh_is_accurate_and_bounded():
    links = compiled.make_links(scipy.sparse.csr_matrix((1, 1), dtype=np.float32))
    x = np.linspace(-12, 12, 100_001, dtype=np.float32)
    states = x[:, None, None].copy()
    compiled.run(links, states, np.zeros((1, 1), np.float32), *np.float32([1, 0]), "tanh")
    np.testing.assert_allclose(states[:, 0, 0], np.tanh(x.astype(float)), atol=3e-7)
    assert np.abs(states).max() <= 1


def test_nan_is_propagated(monkeypatch):
    loops, _ = both(monkeypatch, activation="identity")
    u = np.ones((1, 5, 2))
    u[0, 2] = np.nan
    states = loops.states(u)[0]
    assert np.isfinite(states[:2]).all()
    assert np.isnan(states[2:]).any(axis=1).all()


@pytest.mark.parametrize(
    ("units", "n_links", "expected"),
    [(500, 25_000, True), (500, 50_000, False), (100_000, 100_000, False)],
)
def test_dense_weights_use_the_blas(units, n_links, expected):
    assert compiled.suits(units, n_links) is expected


def test_only_large_blocks_start_threads(monkeypatch):
    loops, _ = both(monkeypatch)
    started = []

    class Pool(threads.ThreadPoolExecutor):
        def __init__(self, workers):
            started.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(threads, "n_threads", lambda: 2)
    u = RNG.normal(size=(50, 40, 2))
    whole, h = loops.states(u), loops.start(50)
    for t in range(40):  # as a closed loop does
        h = loops.block(u[:, t : t + 1], h)[-1]
    assert started == []
    monkeypatch.setattr(compiled, "_THREADED", 1)
    np.testing.assert_array_equal(loops.states(u), whole)
    assert started == [2]


@pytest.mark.parametrize("n", [8, 200])
def test_many_series_use_a_dense_matrix_unless_weights_are_very_sparse(monkeypatch, n):
    loops, reference = both(monkeypatch, density=0.14, dtype=np.float64)
    ran = []
    inner = compiled.run
    monkeypatch.setattr(compiled, "run", lambda *args: ran.append(len(args[2])) or inner(*args))
    u = RNG.normal(size=(n, 20, 2))
    np.testing.assert_allclose(loops.states(u), reference.states(u), atol=1e-13)
    assert bool(ran) is (n == 8)


@pytest.mark.parametrize("n", [1, 5])
def test_the_previous_state_can_have_factor_one(n):
    matrix = scipy.sparse.random(20, 20, 0.1, "csr", rng=np.random.default_rng(0))
    u, h = RNG.normal(size=(30, n, 20)), RNG.normal(size=(n, 20))
    states = u.copy()
    compiled.run(compiled.make_links(matrix), states, h, *np.float64([0.1, 1.0]), "tanh")
    whole = u.copy()
    compiled.run(compiled.make_links(matrix), whole, h, *np.float64([1.0, 1.0]), "tanh")
    for actual, step in ((states, 0.1), (whole, 1.0)):
        now = h
        for t in range(30):
            now = now + step * np.tanh(now @ matrix.toarray().T + u[t])
            np.testing.assert_allclose(actual[t], now, atol=1e-10)
