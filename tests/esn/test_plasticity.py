"""Intrinsic plasticity, compared with reservoirpy and with its target distribution."""

import numpy as np
import pytest
import scipy.sparse
import target
from target import assert_array_equal, host, put

from deepreservoir.esn import (
    IntrinsicPlasticity,
    RecurrentSpec,
    Reservoir,
    ReservoirSpec,
    ReservoirStack,
)

RNG = np.random.default_rng(0)


def stack(units=(40,), topology="random", arrangement="deep", n_feedback=0, **options):
    specs = [
        ReservoirSpec(RecurrentSpec(n, topology, path=f"r{i}"), **options)
        for i, n in enumerate(units)
    ]
    return ReservoirStack(specs, 2, n_feedback, arrangement, np.float64, target.device)


def states_of(reservoir, u):
    """Return the states of host arrays, on the host."""
    return host(reservoir.states(put(u)))


def test_gains_and_biases_equal_those_of_reservoirpy():
    nodes = pytest.importorskip("reservoirpy.nodes")
    ours = stack(bias_scaling=0.2)
    part = ours.parts[0]
    peer = nodes.IPReservoir(
        units=40,
        W=scipy.sparse.csr_matrix(part.recurrent.dense()),
        Win=host(part.W_in),
        bias=host(part.b),
        mu=0.1,
        sigma=0.3,
        learning_rate=1e-3,
    )
    u = RNG.normal(size=(300, 2))
    peer.fit(u)
    IntrinsicPlasticity(epochs=1, mean=0.1, deviation=0.3, rate=1e-3).tune(ours, [put(u[None])])
    np.testing.assert_allclose(ours.parts[0].tuning.gain, peer.a, atol=1e-10)
    np.testing.assert_allclose(ours.parts[0].tuning.bias, peer.b, atol=1e-10)


@pytest.mark.host(reason="plasticity in NumPy, step by step, beside that of a reservoir")
def test_with_a_tiny_rate_tuning_runs_over_the_untuned_states():
    # The gain moves by rate / a + x db of every step: its sum tells the states of the pass.
    ours = stack((30,), "antisymmetric", leak_rate=0.2)
    part, u = ours.parts[0], RNG.normal(size=(200, 2))
    states = part.states(u[None])[0]
    before = np.vstack([np.zeros(30), states[:-1]])
    x = before @ part.recurrent.dense().T + u @ part.W_in.T
    y, rate = np.tanh(x), 1e-9
    moved = -rate * (y / 0.25 * (2 * 0.25 + 1 - y * y))
    IntrinsicPlasticity(epochs=1, rate=rate).tune(ours, [u[None]])
    wanted = (rate + moved * x).sum(axis=0)
    np.testing.assert_allclose(ours.parts[0].tuning.gain - 1, wanted, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("topology", ["random", "dense", "hadamard"])
def test_a_tuned_reservoir_follows_the_formula(topology):
    tuned = stack((64,), topology, bias_scaling=0.2, leak_rate=0.6)
    plain = tuned.parts[0]
    u = RNG.normal(size=(3, 200, 2))
    IntrinsicPlasticity(epochs=2, rate=1e-2).tune(tuned, [put(u)])
    gain, bias = tuned.parts[0].tuning.gain, tuned.parts[0].tuning.bias
    assert np.abs(gain - 1).max() > 0.1
    h, W, W_in, b = np.zeros(64), plain.recurrent.dense(), host(plain.W_in), host(plain.b)
    for t, state in enumerate(states_of(tuned, u)[0]):
        inside = W @ h + W_in @ u[0, t] + b
        h = 0.4 * h + 0.6 * np.tanh(gain * inside + bias)
        np.testing.assert_allclose(state, h, atol=1e-9)


def test_outputs_approach_the_target_mean_and_deviation():
    tuned = stack((60,), bias_scaling=1.0)
    u = RNG.normal(size=(1, 500, 2)) * 3

    def off(reservoir):
        states = states_of(reservoir, u)[0]
        return np.abs(states.mean(axis=0)).mean(), np.abs(states.std(axis=0) - 0.3).mean()

    before = off(tuned)
    IntrinsicPlasticity(epochs=20, deviation=0.3, rate=1e-3).tune(tuned, [put(u)])
    after = off(tuned)
    assert after[0] < 0.5 * before[0]
    assert after[1] < 0.5 * before[1]


@pytest.mark.parametrize("arrangement", ["deep", "grouped"])
def test_each_reservoir_of_a_stack_is_tuned_on_its_own_inputs(arrangement):
    u = put(RNG.normal(size=(2, 3000, 2)))  # more than a block
    joined = stack((30, 20), arrangement=arrangement)
    rule = IntrinsicPlasticity(epochs=1, rate=1e-3)
    rule.tune(joined, [u])
    first, second = stack((30,)), stack((30, 20), arrangement=arrangement)
    rule.tune(first, [u])
    np.testing.assert_array_equal(joined.parts[0].tuning.gain, first.parts[0].tuning.gain)
    read = first.states(u) if arrangement == "deep" else u
    alone = ReservoirStack(
        [second.parts[1].spec], read.shape[2], dtype=np.float64, device=target.device
    )
    rule.tune(alone, [read])
    np.testing.assert_allclose(joined.parts[1].tuning.gain, alone.parts[0].tuning.gain, atol=1e-12)


def test_feedback_is_used_in_tuning():
    u, back = put(RNG.normal(size=(1, 50, 2))), put(RNG.normal(size=(1, 50, 1)))
    one, other = stack(n_feedback=1), stack(n_feedback=1)
    IntrinsicPlasticity().tune(one, [u], [back])
    IntrinsicPlasticity().tune(other, [u], [0 * back])
    assert not np.allclose(one.parts[0].tuning.gain, other.parts[0].tuning.gain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer of at least 1; got 0"),
        ({"mean": 1.0}, r"mean must be in \(-1, 1\)"),
        ({"deviation": 0.0}, "deviation must be a positive finite number"),
        ({"rate": float("inf")}, "rate must be a positive finite number"),
    ],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        IntrinsicPlasticity(**options)


def test_other_nonlinearities_and_large_rates_are_refused():
    u = put(RNG.normal(size=(1, 50, 2)))
    with pytest.raises(ValueError, match="needs activation='tanh'"):
        IntrinsicPlasticity().tune(stack(activation="relu"), [u])
    with pytest.raises(ValueError, match="Lower its rate, 50"):
        IntrinsicPlasticity(rate=50.0).tune(stack(), [u])


def test_a_pickle_contains_no_weights_and_gives_the_same_states():
    import pickle

    tuned = stack((300, 200))
    u = RNG.normal(size=(1, 60, 2))
    IntrinsicPlasticity(epochs=1).tune(tuned, [put(u)])
    data = pickle.dumps(tuned)
    assert len(data) < 12_000  # gain and bias of 500 units
    assert_array_equal(states_of(pickle.loads(data).to(target.device), u), tuned.states(put(u)))
    assert len(pickle.dumps(Reservoir(ReservoirSpec(RecurrentSpec(300)), 2))) < 1_000
