"""The state update, against its formula and against reservoirpy."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import target
from target import assert_allclose, assert_array_equal, host, put, xp

from deepreservoir.esn import (
    TOPOLOGIES,
    RecurrentSpec,
    Reservoir,
    ReservoirSpec,
    ReservoirStack,
    compiled,
)
from deepreservoir.esn.reservoir import Tuning
from deepreservoir.scaffold.tables import lane_table

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True, params=["numpy", "compiled"])
def loops(request, monkeypatch):
    """Run every test on the NumPy path, and on the compiled one if numba is installed."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        if target.device != "cpu":
            pytest.skip("the compiled loops are for the CPU")
    else:
        monkeypatch.setattr(compiled, "available", lambda: False)


def make(units=40, n_inputs=2, n_feedback=0, dtype=np.float64, topology="random", **options):
    spec = ReservoirSpec(RecurrentSpec(units, topology), **options)
    return Reservoir(spec, n_inputs, n_feedback, dtype, device=target.device)


def states_of(reservoir, u, *others):
    """Return the states of host arrays, on the host."""
    return host(reservoir.states(put(u), *map(put, others)))


def by_the_formula(reservoir, u, feedback=None):
    """Compute the states step by step: u (time, n_inputs) -> (time, units)."""
    spec, W = reservoir.spec, reservoir.recurrent.dense()
    W_in, b = host(reservoir.W_in), host(reservoir.b)
    f = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "identity": lambda x: x}
    h, states = np.zeros(spec.units), []
    for t, x in enumerate(u):
        inside = W @ h + W_in @ x + b
        if feedback is not None:
            inside += host(reservoir.W_fb) @ feedback[t]
        h = (1 - spec.leak_rate) * h + spec.leak_rate * f[spec.activation](inside)
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("topology", ["random", "ring", "hadamard", "kronecker"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("leak_rate", [1.0, 0.3])
def test_states_follow_the_formula(topology, activation, leak_rate):
    reservoir = make(
        64, topology=topology, activation=activation, leak_rate=leak_rate, bias_scaling=0.3
    )
    u = RNG.normal(size=(3, 600, 2))  # more steps than a block
    states = states_of(reservoir, u)
    for i in range(3):
        np.testing.assert_allclose(states[i], by_the_formula(reservoir, u[i]), atol=1e-6)


@pytest.mark.parametrize("step", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("tuned", [False, True])
def test_an_antisymmetric_reservoir_is_an_euler_state_network(step, tuned):
    reservoir = make(topology="antisymmetric", leak_rate=step, bias_scaling=0.3)
    # Against Gallicchio's recursion, from the weights as they are drawn.
    spec = reservoir.spec.recurrent
    lanes = spec.stream("weights").rows(0, 40, 40)
    W = lane_table("normal")[lanes].astype(float)
    W = (W - W.T) * 0.9 / np.abs(np.linalg.eigvals(W - W.T)).max()
    gain, shift = np.ones(40), np.zeros(40)
    if tuned:
        gain, shift = RNG.uniform(0.5, 1.5, 40), RNG.normal(size=40)
    W_in, b = host(reservoir.W_in), host(reservoir.b)
    if tuned:
        again = pickle.loads(pickle.dumps(reservoir.tuned(Tuning(gain, shift))))
        reservoir = again.to(target.device)
    u = RNG.normal(size=(3, 200, 2))
    for n in (1, 3):
        states = states_of(reservoir, u[:n])
        for i in range(n):
            h = np.zeros(40)
            for t in range(200):
                heard = (W - 0.01 * np.eye(40)) @ h + W_in @ u[i, t] + b
                h = h + step * np.tanh(gain * heard + shift)
                np.testing.assert_allclose(states[i, t], h, atol=1e-6)


def test_feedback_has_its_own_weights():
    reservoir = make(n_feedback=3)
    u, back = RNG.normal(size=(1, 50, 2)), RNG.normal(size=(1, 50, 3))
    (_, states), *_ = reservoir.blocks(put(u), feedback=put(back))
    assert_allclose(states[:, 0], by_the_formula(reservoir, u[0], back[0]), atol=1e-6)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_series_in_parallel_equal_single_runs(topology):
    reservoir = make(64, topology=topology, leak_rate=0.5)
    u = RNG.normal(size=(4, 300, 2))
    together = states_of(reservoir, u)
    for i in range(4):
        np.testing.assert_allclose(states_of(reservoir, u[i : i + 1])[0], together[i], atol=1e-9)


def test_continuing_from_a_state_equals_one_long_run():
    reservoir = make(leak_rate=0.4)
    u = RNG.normal(size=(2, 500, 2))
    whole = states_of(reservoir, u)
    first = states_of(reservoir, u[:, :123])
    rest = states_of(reservoir, u[:, 123:], first[:, -1])
    np.testing.assert_allclose(np.concatenate([first, rest], axis=1), whole, atol=1e-12)


def test_inputs_are_not_modified():
    reservoir = make()
    u, h = RNG.normal(size=(2, 20, 2)), RNG.normal(size=(2, 40))
    u.flags.writeable = h.flags.writeable = False
    arrays = put(u), put(h)
    reservoir.states(*arrays)
    assert_array_equal(arrays[0], u)
    assert_array_equal(arrays[1], h)


def test_noise_is_keyed_by_seed_and_step():
    reservoir = make(noise=0.1)
    u = put(np.zeros((1, 3000, 2)))  # more than a block

    def run(seed):
        return xp.concatenate([s for _, s in reservoir.blocks(u, noise_seed=seed)])

    assert (run(1) == run(1)).all()
    assert not (run(1) == run(2)).all()
    assert not run(None).any()
    # Half-way in, the noise is that of its own step.
    first = run(1)
    again = xp.concatenate(
        [
            reservoir.block(u[:, :256], reservoir.start(), None, 1, 0),
            reservoir.block(u[:, 256:300], first[255], None, 1, 256),
        ]
    )
    assert_array_equal(again, first[:300])


@pytest.mark.parametrize("leak_rate", [1.0, 0.4])
def test_states_equal_reservoirpy_on_the_same_weights(leak_rate):
    nodes = pytest.importorskip("reservoirpy.nodes")
    reservoir = make(80, leak_rate=leak_rate, bias_scaling=0.2)
    peer = nodes.Reservoir(
        units=80,
        lr=leak_rate,
        W=reservoir.recurrent.dense(),
        Win=host(reservoir.W_in),
        bias=host(reservoir.b),
    )
    u = RNG.normal(size=(400, 2))
    np.testing.assert_allclose(states_of(reservoir, u[None])[0], peer.run(u), atol=1e-10)


def test_float32_states_stay_close_to_float64_ones():
    u = RNG.normal(size=(1, 300, 2))
    single, double = (states_of(make(dtype=dtype), u) for dtype in (np.float32, np.float64))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-4)


def test_a_deep_stack_passes_states_on_and_a_group_shares_the_input():
    specs = [ReservoirSpec(RecurrentSpec(n, path=f"r{i}")) for i, n in enumerate((30, 20))]
    u = RNG.normal(size=(2, 400, 3))
    for arrangement in ("deep", "grouped"):
        options = {"dtype": np.float64, "device": target.device}
        stack = ReservoirStack(specs, 3, arrangement=arrangement, **options)
        states = states_of(stack, u)
        first = states_of(Reservoir(specs[0], 3, **options), u)
        read = first if arrangement == "deep" else u
        scaling = 30**-0.5 if arrangement == "deep" else 1.0  # of 30 states, or of the input
        spec = replace(specs[1], input_scaling=scaling)
        second = states_of(Reservoir(spec, read.shape[2], **options), read)
        np.testing.assert_allclose(states, np.concatenate([first, second], axis=2), atol=1e-9)


def test_a_deep_stack_does_not_saturate():
    specs = [ReservoirSpec(RecurrentSpec(200, path=f"r{i}")) for i in range(3)]
    stack = ReservoirStack(specs, 1, dtype=np.float64)
    states = stack.states(np.sin(np.arange(500) / 5)[None, :, None])[0, 100:]
    for level in np.split(np.abs(states), 3, axis=1):
        assert (level > 0.99).mean() < 0.01
        assert np.sqrt((level**2).mean()) > 0.1  # nor does it fade
