"""Recurrent weights: structure, spectral radius, seeds, and products."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
import target
from target import assert_allclose, host, put, xp

import deepreservoir
from deepreservoir import EchoStateRegressor, esn, reservoir_search
from deepreservoir.esn import TOPOLOGIES, RecurrentSpec, ReservoirSpec, ReservoirStack, Topology
from deepreservoir.esn.spectrum import spectral_radius_of
from deepreservoir.esn.topology import recurrent_digest

draw_recurrent = partial(esn.draw_recurrent, device=target.device)

# A delay line has only zeros; an antisymmetric one is less a small diffusion.
SCALED = [name for name in TOPOLOGIES if name not in ("delay_line", "antisymmetric")]


def radius(weights):
    return np.abs(np.linalg.eigvals(weights)).max()


@pytest.mark.parametrize("topology", SCALED)
@pytest.mark.parametrize("target", [0.5, 1.25])
def test_the_spectral_radius_is_exact(topology, target):
    drawn = draw_recurrent(RecurrentSpec(64, topology, target), np.float64)
    assert radius(drawn.dense()) == pytest.approx(target, rel=1e-6)


def test_the_spectral_radius_is_exact_where_only_a_few_eigenvalues_are_computed():
    drawn = draw_recurrent(RecurrentSpec(700, "random", 0.9), np.float64)
    assert radius(drawn.dense()) == pytest.approx(0.9, rel=1e-8)


@pytest.mark.parametrize(
    ("topology", "tolerance"),
    [(name, 1e-8 if name == "orthogonal" else 1e-10) for name in SCALED],
)
def test_the_radius_of_products_is_exact_to_rounding_in_float64(topology, tolerance):
    drawn = draw_recurrent(RecurrentSpec(64, topology, 0.8), np.float64)
    assert radius(host(drawn.matmul(put(np.eye(64)))).T) == pytest.approx(0.8, rel=tolerance)


@pytest.mark.parametrize("units", [30, 700])
def test_weights_without_a_cycle_have_the_radius_of_their_diagonal(units):
    rng = np.random.default_rng(0)
    order = rng.permutation(units)
    links = np.tril(rng.normal(size=(units, units)) * (rng.random((units, units)) < 0.02), -1)
    nilpotent = scipy.sparse.csr_matrix(links[order][:, order])
    assert spectral_radius_of(nilpotent) == 0
    diagonal = scipy.sparse.diags(np.linspace(-0.7, 0.5, units))
    assert spectral_radius_of(nilpotent + diagonal) == 0.7
    back = nilpotent.tolil()
    row, col = (int(i[0]) for i in nilpotent.nonzero())
    back[col, row] = 4 / nilpotent[row, col]  # a cycle of two
    assert spectral_radius_of(back.tocsr()) >= 2 - 1e-9


def test_links_that_lead_nowhere_cannot_be_scaled():
    with pytest.raises(ValueError, match=r"600 units has spectral radius 0 .* raise density"):
        draw_recurrent(RecurrentSpec(600, density=0.0005, seed=1), np.float64)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_those_of_the_dense_weights(topology, dtype):
    drawn = draw_recurrent(RecurrentSpec(64, topology, 0.9), dtype)
    h = np.random.default_rng(0).normal(size=(5, 64)).astype(dtype)
    h.flags.writeable = False
    given = put(h)
    wanted = h.astype(float) @ drawn.dense().T
    tolerance = 1e-5 if dtype == np.float32 else 1e-6
    assert_allclose(drawn.matmul(given), wanted, atol=tolerance)
    out = xp.empty(h.shape, dtype)
    assert drawn.matmul(given, out=out) is out
    assert_allclose(out, wanted, atol=tolerance)


@pytest.mark.parametrize("topology", ["random", "dense", "small_world", "blocks", "hadamard"])
def test_the_same_seed_gives_the_same_weights_and_another_other_ones(topology):
    first, second, other = (
        draw_recurrent(RecurrentSpec(32, topology, seed=seed)).dense() for seed in (1, 1, 2)
    )
    assert (first == second).all()
    assert not (first == other).all()


@pytest.mark.parametrize("topology", ["random", "small_world", "blocks"])
def test_a_whole_number_for_density_is_the_in_degree_of_every_unit(topology):
    weights = draw_recurrent(RecurrentSpec(60, topology, density=6)).dense()
    heard = (weights != 0).sum(axis=1)
    # Rewiring may hit a link that is there: then the two are added.
    assert heard.max() <= 6
    assert heard.mean() > 5.5


def test_numbers_of_numpy_are_numbers():
    for given, same in ((np.int64(6), 6), (np.float32(0.25), 0.25)):
        first, second = (
            draw_recurrent(RecurrentSpec(60, density=density)).dense() for density in (given, same)
        )
        np.testing.assert_array_equal(first, second)


def test_a_share_for_density_is_that_share_of_links():
    weights = draw_recurrent(RecurrentSpec(400, density=0.05)).dense()
    assert (weights != 0).mean() == pytest.approx(0.05, abs=5 * np.sqrt(0.05 * 0.95) / 400)


def test_ring_delay_line_and_jumps_have_their_links_and_no_others():
    ring = draw_recurrent(RecurrentSpec(9, "ring", 0.7)).dense()
    np.testing.assert_allclose(ring, 0.7 * np.roll(np.eye(9), 1, axis=0), rtol=1e-6)
    line = draw_recurrent(RecurrentSpec(9, "delay_line", 0.7)).dense()
    np.testing.assert_allclose(line, 0.7 * np.eye(9, k=-1), rtol=1e-6)
    jumps = draw_recurrent(RecurrentSpec(9, "cycle_jumps", 0.7)).dense() != 0
    links = {(i, (i - 1) % 9) for i in range(9)}
    links |= {pair for a, b in [(0, 3), (3, 6), (6, 0)] for pair in [(a, b), (b, a)]}
    assert set(zip(*map(list, np.nonzero(jumps)), strict=True)) == links


def test_orthogonal_antisymmetric_and_hadamard_are_what_they_say():
    q = draw_recurrent(RecurrentSpec(32, "orthogonal", 0.8), np.float64).dense()
    np.testing.assert_allclose(q @ q.T, 0.64 * np.eye(32), atol=1e-6)
    h = draw_recurrent(RecurrentSpec(32, "hadamard", 0.8), np.float64).dense()
    np.testing.assert_allclose(h @ h.T, 0.64 * np.eye(32), atol=1e-6)
    assert len(np.unique(np.abs(h).round(7))) == 1
    a = draw_recurrent(RecurrentSpec(32, "antisymmetric", 0.8), np.float64).dense()
    w = a + 0.01 * np.eye(32)  # less the diffusion
    np.testing.assert_allclose(w, -w.T, atol=1e-15)
    assert radius(w) == pytest.approx(0.8, rel=1e-9)


def test_blocks_hear_only_themselves():
    weights = draw_recurrent(RecurrentSpec(30, "blocks", density=10)).dense() != 0
    block = np.arange(30) // 10
    assert not weights[block[:, None] != block].any()


def test_a_structure_holds_no_matrix():
    drawn = draw_recurrent(RecurrentSpec(1024, "hadamard"))
    assert drawn.nbytes < 1024 * 1024 * 4 / 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"topology": "star"}, "topology must be one of random, .*got 'star'"),
        ({"density": 0.0}, "density must be a share in"),
        ({"density": 65}, "density must be a share in"),
        ({"density": "a"}, "density must be a share in .*got 'a'"),
        ({"density": None}, "density must be a share in .*got None"),
        ({"density": True}, "density must be a share in .*got True"),
        ({"density": float("nan")}, "density must be a share in .*got nan"),
        ({"topology": "hadamard", "units": 48}, "power of two of units; got 48.*32 and 64"),
        ({"family": "orthogonal"}, "family must be i.i.d."),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        draw_recurrent(RecurrentSpec(**{"units": 64, **changes}))


class Triangles(Topology):
    """Cycles of three units: a topology that is defined here, in no file of the package."""

    def check_units(self, units):
        if units % 3:
            raise ValueError(f"triangles need a multiple of 3 units; got {units}")

    def most_units(self, units):
        return units - units % 3

    def links(self, spec):
        return 1

    def draw(self, spec, dtype, device):
        self.check_units(spec.units)
        rows = np.arange(spec.units)
        cols = rows // 3 * 3 + (rows + 1) % 3
        return scipy.sparse.csr_matrix((np.ones(spec.units), (rows, cols)))

    def radius(self, spec, weights):
        return 1.0

    def keep(self, leak_rate):
        return 1.0


@pytest.fixture
def triangles(monkeypatch):
    monkeypatch.setitem(TOPOLOGIES, "triangles", Triangles())


@pytest.mark.usefixtures("triangles")
def test_a_new_topology_is_scaled_and_counted_as_it_says():
    spec = RecurrentSpec(12, "triangles", 0.8)
    drawn = draw_recurrent(spec, np.float64)
    assert drawn.factor == 0.8
    assert_allclose(np.abs(np.linalg.eigvals(drawn.dense())), 0.8, rtol=1e-12)
    assert spec.drawn_bytes == RecurrentSpec(12, "ring").drawn_bytes
    assert len(recurrent_digest(spec)) == 64
    assert esn.ReservoirSpec(spec, leak_rate=0.3).keep == 1.0


@pytest.mark.usefixtures("triangles")
def test_a_new_topology_is_fitted_saved_and_searched(tmp_path):
    series = np.random.default_rng(0).normal(size=(90, 1))
    model = EchoStateRegressor(units=27, washout=5, topology="triangles", random_state=0)
    model.fit(series[:-1], series[1:])
    again = deepreservoir.load(deepreservoir.save(model, tmp_path / "model"))
    np.testing.assert_array_equal(host(again.predict(series)), host(model.predict(series)))
    searched = reservoir_search(model, series[:-1], series[1:], n_candidates=4, min_units=3)
    assert searched.n_resources_ == [9, 27]
    model.set_params(units=28)
    with pytest.raises(ValueError, match="triangles need a multiple of 3 units; got 28"):
        reservoir_search(model, series[:-1], series[1:])
    with pytest.raises(ValueError, match="triangles need a multiple of 3 units; got 28"):
        model.fit(series[:-1], series[1:])


@pytest.mark.parametrize(
    ("topology", "units", "density"),
    [("random", 5, 2), ("random", 50, 0.1), ("blocks", 20, 2), ("small_world", 20, 2)],
)
def test_links_of_units_to_themselves_are_no_eigenvalues_within_a_cycle(topology, units, density):
    for seed in range(60):
        spec = RecurrentSpec(units, topology, 0.9, density, seed)
        try:
            weights = draw_recurrent(spec, np.float64).dense()
        except ValueError:  # no eigenvalue but zero
            continue
        radius = np.abs(np.linalg.eigvals(weights)).max()
        assert radius == pytest.approx(0.9, abs=1e-4), seed


def test_only_a_unit_in_no_cycle_has_its_link_as_an_eigenvalue():
    cycle = np.array([[2.0, -1.0], [3.0, -1.5]])  # eigenvalues 0 and 0.5
    assert spectral_radius_of(scipy.sparse.csr_matrix(cycle)) == pytest.approx(0.5)
    alone = scipy.sparse.block_diag(
        [scipy.sparse.csr_matrix(cycle), scipy.sparse.csr_matrix([[-3.0]])]
    )
    assert spectral_radius_of(alone.tocsr()) == pytest.approx(3.0)


@pytest.mark.parametrize("radius", [-1.0, float("nan"), float("inf"), "0.9"])
def test_radii_out_of_range_are_refused(radius):
    with pytest.raises(ValueError, match=r"spectral_radius must be a number in \[0, inf\)"):
        RecurrentSpec(5, spectral_radius=radius)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"activation": "sigmoid"}, "activation must be one of 'tanh', 'relu', 'identity'"),
        ({"leak_rate": 0.0}, r"leak_rate must be a number in \(0, 1\]"),
        ({"leak_rate": float("nan")}, "leak_rate must be a number"),
        ({"noise": -1.0}, "noise must be a number"),
        ({"product": "fast"}, "product must be one of"),
    ],
)
def test_reservoirs_out_of_range_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ReservoirSpec(RecurrentSpec(5, density=0.5), **params)


def test_a_stack_needs_a_reservoir():
    with pytest.raises(ValueError, match="at least one ReservoirSpec"):
        ReservoirStack([], 1)
