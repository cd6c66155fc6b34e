"""Limits of the BLAS's threads: as before, whatever runs side by side and wherever it ends."""

import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from deepreservoir import EchoStateRegressor, kernels, thread_limits
from deepreservoir.esn.readout import RidgeLearner
from deepreservoir.esn.threads import one_ahead
from deepreservoir.kernels import products
from deepreservoir.sweeps import work
from deepreservoir.thread_limits import blas_limited, in_shares, limited, n_threads

pytestmark = pytest.mark.host(reason="threads are the host's")

RNG = np.random.default_rng(0)
WAVE = np.sin(np.arange(6000) / 5)[:, None] + 0.1 * RNG.normal(size=(6000, 1))


def numbers():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def largest():
    return max(numbers())


@pytest.fixture(autouse=True)
def four():
    """Let the BLAS use four threads, and look whether it may still do so at the end."""
    with threadpool_limits(4, user_api="blas"):
        yield
        assert set(numbers()) == {4}


def reservoir(**params):
    # A ring uses one core, so that a second thread runs ahead of the readout.
    return EchoStateRegressor(64, topology="ring", random_state=0, **params)


# One at a time -------------------------------------------------------------------------


def test_a_thread_is_lent_while_another_runs_ahead():
    items = one_ahead(iter(range(3)))
    assert next(items) == 0
    assert set(numbers()) == {3}
    assert n_threads() == 4
    assert list(items) == [1, 2]
    assert set(numbers()) == {4}


def test_the_strictest_limit_decides():
    with blas_limited(3):
        assert (largest(), n_threads()) == (3, 3)
        with blas_limited(1):
            assert (largest(), n_threads()) == (1, 1)
        with blas_limited(8):
            assert (largest(), n_threads()) == (3, 3)
        assert (largest(), n_threads()) == (3, 3)
    assert (largest(), n_threads()) == (4, 4)


def test_a_limit_that_another_lowered_is_kept_to():
    with threadpool_limits(1, user_api="blas"):
        assert n_threads() == 1
        items = one_ahead(iter(range(3)))
        assert next(items) == 0
        with blas_limited(2):
            assert largest() == 1
        items.close()
        assert largest() == 1


def test_openmp_is_limited_in_a_sweep_too():
    with threadpool_limits(2, user_api="openmp"):
        before = threadpool_info()
        with limited(1):
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert threadpool_info() == before


# Interleaved ---------------------------------------------------------------------------


def test_generators_that_end_in_the_order_in_which_they_began():
    first, second = one_ahead(iter(range(5))), one_ahead(iter(range(5)))
    next(first)
    next(second)
    assert largest() == 3  # each lends one of four, as it does alone
    first.close()
    assert largest() == 3
    second.close()
    assert largest() == 4


def test_a_run_of_a_sweep_that_begins_and_ends_beside_a_generator(monkeypatch):
    items = one_ahead(iter(range(5)))
    next(items)
    with limited(1):
        assert largest() == 1
        items.close()
        assert largest() == 1  # a run of a sweep has one thread until its end
    assert largest() == 4
    items = one_ahead(iter(range(5)))
    with limited(1):
        next(items)  # there is no thread to lend
        assert largest() == 1
    assert largest() == 4
    assert list(items) == [1, 2, 3, 4]


def test_an_abandoned_generator_gives_its_thread_back():
    items = one_ahead(iter(range(5)))
    next(items)
    cycle = [items]
    cycle.append(cycle)
    del items, cycle
    gc.collect()
    assert largest() == 4


def test_a_generator_that_another_thread_closes():
    items = one_ahead(iter(range(5)))
    next(items)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(items.close).result()
    assert largest() == 4


def test_any_interleaving_of_generators_and_limits():
    rng = random.Random(0)
    for _ in range(200):
        active = []
        for _ in range(12):
            action = rng.randrange(4)
            if action == 0:
                items = one_ahead(iter(range(3)))
                next(items)
                active.append(items.close)
            elif action == 1:
                limit = blas_limited(rng.randint(1, 6))
                limit.__enter__()
                active.append(lambda limit=limit: limit.__exit__(None, None, None))
            elif active:
                active.pop(rng.randrange(len(active)))()
        rng.shuffle(active)
        for end in active:
            end()
        assert set(numbers()) == {4}


def test_limits_that_begin_and_end_in_many_threads():
    start = threading.Barrier(6)

    def use(seed):
        rng = random.Random(seed)
        start.wait()
        for _ in range(50):
            with blas_limited(rng.randint(1, 4), lent=rng.random() < 0.5):
                assert largest() <= 4
            for item in one_ahead(iter(range(3))):
                if item == rng.randrange(3):
                    break

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(use, seed) for seed in range(6)]:
            done.result()
    assert set(numbers()) == {4}


class OwnByThread:
    """A BLAS whose threads have a number each, as with OpenMP."""

    threading_layer = "openmp"

    def __init__(self):
        self.number = threading.local()

    @property
    def num_threads(self):
        return getattr(self.number, "n", 4)

    def set_num_threads(self, n):
        self.number.n = n

    def clear_controlling_thread(self, force=False):
        pass


def test_a_blas_whose_threads_have_a_number_each(monkeypatch):
    library = OwnByThread()

    class Controller:
        lib_controllers = (library,)

        def select(self, user_api):
            return self

    monkeypatch.setattr(thread_limits, "_controller", Controller)
    scan = thread_limits._blas_libraries.__wrapped__
    monkeypatch.setattr(thread_limits, "_blas_libraries", scan)
    with blas_limited(3), ThreadPoolExecutor(1) as pool:

        def beside():
            with blas_limited(2):
                return library.num_threads

        assert library.num_threads == 3
        assert pool.submit(beside).result() == 2
        assert pool.submit(lambda: library.num_threads).result() == 4
        assert library.num_threads == 3
    assert library.num_threads == 4


def test_a_limit_in_a_thread_that_threadpoolctl_would_ignore():
    with threadpool_limits(4, user_api="blas"), ThreadPoolExecutor(1) as pool:

        def work_of_a_sweep():
            with limited(1):
                return largest()

        assert pool.submit(work_of_a_sweep).result() == 1
    assert largest() == 4


# Reservoirs ----------------------------------------------------------------------------


def test_two_threads_that_fit_reservoirs_at_once():
    alone = reservoir().fit(WAVE[:-1], WAVE[1:]).readout_
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            fits = [pool.submit(reservoir().fit, WAVE[:-1], WAVE[1:]) for _ in range(2)]
            for fitted in fits:
                np.testing.assert_allclose(fitted.result().readout_.coef, alone.coef, rtol=1e-6)
        assert set(numbers()) == {4}


def test_an_error_of_the_readout_gives_the_thread_back_though_its_traceback_is_kept(monkeypatch):
    def fail(self, *args):
        assert largest() == 3
        raise ZeroDivisionError

    monkeypatch.setattr(RidgeLearner, "add", fail)
    with pytest.raises(ZeroDivisionError) as caught:
        reservoir().fit(WAVE[:-1], WAVE[1:])
    assert set(numbers()) == {4}
    assert caught.value.__traceback__ is not None


def test_the_bits_are_those_of_a_limit_of_one_less(monkeypatch):
    """The readout's products have other last digits with another number of threads."""
    seen = set()
    add = RidgeLearner.add

    def watch(self, *args):
        seen.add(largest())
        return add(self, *args)

    monkeypatch.setattr(RidgeLearner, "add", watch)
    reservoir().fit(WAVE[:-1], WAVE[1:])
    assert seen == {3}


def test_every_limit_of_the_package_is_counted():
    from pathlib import Path

    import deepreservoir

    for path in Path(deepreservoir.__file__).parent.rglob("*.py"):
        text = path.read_text()
        assert path.name == "thread_limits.py" or "threadpool_limits" not in text, path
        assert path.name == "thread_limits.py" or "ThreadpoolController" not in text, path
    assert work.limited is limited


# Shares ----------------------------------------------------------------------------------


def test_a_share_is_not_divided_again_and_later_shares_are():
    inner = in_shares(lambda share: in_shares(lambda part: part, 4, 1), 8, 2)
    assert inner == [[slice(0, 4)]] * 4
    assert in_shares(lambda share: share.start, 8, 2) == [0, 2, 4, 6]


def test_an_error_in_a_share_is_raised_after_the_others_have_ended():
    ended = []

    def job(share):
        if share.start == 0:
            raise ZeroDivisionError
        ended.append(share.start)

    with pytest.raises(ZeroDivisionError):
        in_shares(job, 4, 1)
    assert sorted(ended) == [1, 2, 3]
    assert in_shares(lambda share: share.start, 4, 1) == [0, 1, 2, 3]


def test_threads_do_not_change_the_bits_of_row_passes():
    x = RNG.normal(size=(4096, 64)).astype(np.float32)
    weight = np.linspace(0.5, 2, 64, dtype=np.float32)

    def passes():
        y, xhat, inverse = kernels.layer_norm(x, weight, weight, 1e-5)
        return [y, kernels.gelu(x), *kernels.layer_norm_backward(x, xhat, inverse, weight)]

    several = passes()
    with blas_limited(1):
        for one, many in zip(passes(), several, strict=True):
            np.testing.assert_array_equal(one, many)


def test_products_are_divided_while_the_blas_lends_its_threads():
    a = np.random.default_rng(0).standard_normal((300, 80)).astype(np.float32)
    b = np.random.default_rng(1).standard_normal((80, 120)).astype(np.float32)
    divided = []
    with threadpool_limits(2):
        before = thread_limits.n_threads()
        with pytest.MonkeyPatch.context() as patch, kernels.work_in_shares():
            real = thread_limits.in_shares
            patch.setattr(
                products, "in_shares", lambda job, n, step: divided.append(n) or real(job, n, step)
            )
            assert thread_limits.n_threads() == before
            assert set(numbers()) == {1}
            found = kernels.product(a, b)
            small = kernels.product(a[:4], b)
        assert thread_limits.n_threads() == before
    assert divided == [300]
    np.testing.assert_allclose(found, a @ b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(small, a[:4] @ b, rtol=1e-5, atol=1e-5)
    kernels.product(a, b)  # outside, it is the BLAS's own
    assert divided == [300]
