"""Rows for a readout, and the threads that make them."""

import threading

import numpy as np
import pytest
import target
from target import assert_array_equal, put, xp

from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec, ReservoirStack
from deepreservoir.esn.state_blocks import harvest
from deepreservoir.esn.threads import one_ahead, spread

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("topology", ["random", "hadamard"])
@pytest.mark.parametrize("n_series", [1, 3, 20])
@pytest.mark.parametrize("washout", [0, 5, 2100])
def test_rows_are_the_states_after_the_washout_beside_their_targets(topology, n_series, washout):
    reservoir = Reservoir(ReservoirSpec(RecurrentSpec(64, topology)), 2, device=target.device)
    u, y = put(RNG.normal(size=(n_series, 2200, 2))), put(RNG.normal(size=(n_series, 2200, 3)))
    blocks = list(harvest(reservoir, u, y, washout))
    assert blocks[0][0] == washout
    assert [first for first, _, _ in blocks[1:]] == [
        first + len(states) for first, states, _ in blocks[:-1]
    ]
    states = xp.concatenate([states for _, states, _ in blocks])
    wanted = xp.concatenate([wanted for _, _, wanted in blocks])
    assert_array_equal(states.swapaxes(0, 1), reservoir.states(u)[:, washout:])
    assert_array_equal(wanted.swapaxes(0, 1), y[:, washout:])


def test_a_stack_uses_several_cores_if_a_part_does():
    specs = [ReservoirSpec(RecurrentSpec(64, name)) for name in ("ring", "hadamard")]
    assert ReservoirStack(specs, 1).parallel(1)
    assert not ReservoirStack(specs[:1], 1).parallel(1)


@pytest.fixture(params=[1, 2])
def threads(request, monkeypatch):
    monkeypatch.setattr("deepreservoir.esn.threads.n_threads", lambda: request.param)
    return request.param


def test_one_ahead_keeps_the_order_and_uses_a_second_thread_only_if_allowed(threads):
    makers = set()

    def numbers():
        for i in range(5):
            makers.add(threading.get_ident())
            yield i

    assert list(one_ahead(numbers())) == [0, 1, 2, 3, 4]
    assert (makers == {threading.get_ident()}) is (threads == 1)


def test_an_error_in_a_block_is_raised_where_the_block_is_asked_for(threads):
    def numbers():
        yield 1
        raise OverflowError("ran away")

    items = one_ahead(numbers())
    assert next(items) == 1
    with pytest.raises(OverflowError, match="ran away"):
        next(items)


def test_the_handling_of_overflow_goes_along(threads):
    def overflow():
        yield np.float32(1e38) * np.float32(1e38)

    with np.errstate(over="ignore"):
        assert list(one_ahead(overflow())) == [np.inf]


def test_stopping_early_gives_the_threads_of_the_blas_back(threads):
    from threadpoolctl import threadpool_info

    before = [library["num_threads"] for library in threadpool_info()]
    for _ in one_ahead(iter(range(10))):
        break
    assert [library["num_threads"] for library in threadpool_info()] == before


def test_spread_does_every_share_and_raises_what_one_raises(threads):
    done = np.zeros(21, int)

    def count(some):
        assert len(done[some]) % 8 == 0 or some.stop is None or some.stop >= 21
        done[some] += 1

    spread(count, 21, 8)
    np.testing.assert_array_equal(done, 1)

    def fail(some):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spread(fail, 21, 8)
