"""Optimisers against torch.optim over twenty steps; schedules and averages in closed form."""

import math

import numpy as np
import pytest
from gradcheck import frozen, normal
from target import assert_allclose, assert_array_equal, host, put, xp
from threadpoolctl import threadpool_limits

from deepreservoir.kernels import adam
from deepreservoir.optim import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    WarmUp,
    WeightAverage,
    clip_global_norm,
)

STEPS = 20


def torch_optimiser(torch, ours, groups):
    if isinstance(ours, SGD):
        return torch.optim.SGD(groups, lr=1.0, momentum=ours.momentum, nesterov=ours.nesterov)
    kind = torch.optim.AdamW if isinstance(ours, AdamW) else torch.optim.Adam
    return kind(groups, lr=1.0, betas=(ours.beta1, ours.beta2), eps=ours.eps)


def gradient_at(theta, step):
    """A gradient that depends on where the run is, so that errors would grow."""
    return xp.sin(3 * theta) + 0.1 * normal(*theta.shape, seed=step)


def assert_as_in_torch(optimiser, size):
    torch = pytest.importorskip("torch")
    start = host(normal(size, seed=77))
    decays = np.random.default_rng(0).random(size) < 0.6
    decays[: size // 3] = True
    theirs = [torch.tensor(start[part].copy(), requires_grad=True) for part in (decays, ~decays)]
    groups = [
        {"params": [theirs[0]], "weight_decay": optimiser.weight_decay},
        {"params": [theirs[1]], "weight_decay": 0.0},
    ]
    other = torch_optimiser(torch, optimiser, groups)
    theta, mask = put(start.copy()), put(decays, np.float64)
    state = optimiser.init(theta)
    for step in range(STEPS):
        rate = 0.05 * Cosine(30)(step)
        grad = gradient_at(theta, step)
        for part, tensor in zip((decays, ~decays), theirs, strict=True):
            tensor.grad = torch.tensor(host(grad)[part])
        for group in other.param_groups:
            group["lr"] = rate
        other.step()
        optimiser.update(theta, frozen(grad), state, rate, mask)
    theta = host(theta)
    assert state.step == STEPS
    assert np.abs(theta - start).min() > 0
    for part, tensor in zip((decays, ~decays), theirs, strict=True):
        assert_allclose(theta[part], tensor.detach().numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.9, True), (0.9, False), (0.0, False)])
def test_sgd_is_torchs(momentum, nesterov, weight_decay):
    assert_as_in_torch(SGD(momentum, nesterov, weight_decay), 500)


OWN = {"beta1": 0.8, "beta2": 0.99, "eps": 1e-3}
ADAMS = [
    Adam(),
    Adam(weight_decay=0.1),
    Adam(**OWN),
    AdamW(),
    AdamW(weight_decay=0.0),
    AdamW(weight_decay=0.3, **OWN),
]


@pytest.mark.parametrize("optimiser", ADAMS, ids=repr)
@pytest.mark.parametrize("size", [1, 6, 7, 23, 49])
def test_adam_is_torchs_in_small_chunks(optimiser, size, monkeypatch):
    monkeypatch.setattr(adam, "_CHUNK", 7)
    assert_as_in_torch(optimiser, size)


@pytest.mark.parametrize("optimiser", [Adam(weight_decay=0.1), AdamW()], ids=repr)
def test_adam_is_torchs_over_several_whole_chunks(optimiser):
    assert_as_in_torch(optimiser, 2 * adam._CHUNK + 5)


def test_defaults_are_those_of_torch():
    torch = pytest.importorskip("torch")
    for ours, theirs in ((Adam(), torch.optim.Adam), (AdamW(), torch.optim.AdamW)):
        defaults = theirs([torch.zeros(1)]).defaults
        assert (ours.beta1, ours.beta2) == defaults["betas"]
        assert (ours.eps, ours.weight_decay) == (defaults["eps"], defaults["weight_decay"])


@pytest.mark.parametrize("optimiser", [SGD(weight_decay=0.1), Adam(weight_decay=0.1), AdamW()])
def test_float32_stays_float32_and_follows_float64(optimiser):
    ends = []
    for dtype in (np.float32, np.float64):
        theta = normal(50).astype(dtype)
        state, mask = optimiser.init(theta), xp.ones(50, dtype)
        for step in range(STEPS):
            grad = normal(50, seed=step).astype(dtype)
            optimiser.update(theta, grad, state, 0.01, mask)
        assert {a.dtype for a in (theta, *state.moments)} == {np.dtype(dtype)}
        ends.append(theta)
    assert_allclose(ends[0], ends[1], rtol=1e-4, atol=1e-5)


def test_no_parameters_are_no_trouble():
    empty = xp.empty(0)
    for optimiser in (SGD(), Adam(), AdamW()):
        state = optimiser.init(empty)
        optimiser.update(empty, empty, state, 0.1, empty)
        assert state.step == 1


# Clipping ------------------------------------------------------------


@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e9])
def test_clipping_is_torchs(limit):
    torch = pytest.importorskip("torch")
    # PyTorch adds 1e-6 to the norm; a norm near 1e7 leaves that below the bound.
    grad = 1e6 * normal(100)
    theirs = torch.zeros(100, dtype=torch.float64, requires_grad=True)
    theirs.grad = torch.tensor(host(grad).copy())
    torch.nn.utils.clip_grad_norm_([theirs], limit)
    ours = grad.copy()
    clip_global_norm(ours, limit)
    assert_allclose(ours, theirs.grad.numpy(), rtol=1e-12)


def test_a_gradient_within_the_limit_keeps_its_bits():
    grad = normal(10).astype(np.float32)
    clipped = grad.copy()
    clip_global_norm(clipped, 100.0)
    assert_array_equal(clipped, grad)


def test_clipping_keeps_zero_and_shows_nan():
    zero, broken = xp.zeros(3, np.float32), put([1.0, np.nan])
    clip_global_norm(zero, 1.0)
    clip_global_norm(broken, 1.0)
    assert_array_equal(zero, 0)
    assert xp.isnan(broken).all()


# Schedules ------------------------------------------------------------


def test_constant_is_one():
    assert {Constant()(step) for step in range(5)} == {1.0}


@pytest.mark.parametrize("step", [0, 1, 7, 20, 39, 40])
def test_cosine_is_half_a_cosine(step):
    assert Cosine(40)(step) == pytest.approx(math.cos(math.pi * step / 80) ** 2, abs=1e-15)


def test_cosine_stays_at_zero():
    assert Cosine(40)(41) == Cosine(40)(4000) == 0.0


@pytest.mark.parametrize("step", [0, 1, 10, 25])
def test_exponential_is_gamma_every_so_many_steps(step):
    assert Exponential(0.9, 10)(step) == pytest.approx(math.exp(step / 10 * math.log(0.9)))


def test_warm_up_rises_straight_then_starts_the_other_schedule():
    schedule = WarmUp(4, Cosine(10))
    rise = [schedule(step) for step in range(4)]
    assert rise == pytest.approx([0.2, 0.4, 0.6, 0.8])
    for step in range(12):
        assert schedule(4 + step) == Cosine(10)(step)


def test_no_warm_up_is_the_schedule_itself():
    assert [WarmUp(0, Cosine(9))(s) for s in range(9)] == [Cosine(9)(s) for s in range(9)]


# Weight averaging ------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_weight_average_is_the_normalised_geometric_sum(decay):
    thetas = normal(12, 5)
    average = WeightAverage(thetas[0], decay)
    for n, theta in enumerate(thetas, start=1):
        average.update(theta)
        shares = decay ** np.arange(n - 1, -1, -1.0)
        expected = shares @ host(thetas[:n]) / shares.sum()
        assert_allclose(average.value(), expected, rtol=1e-12)


def test_the_average_of_one_update_is_that_update():
    theta = normal(5)
    average = WeightAverage(theta, 0.999)
    average.update(theta)
    assert_allclose(average.value(), theta, rtol=1e-12)


@pytest.mark.host(reason="threads divide the host's work")
def test_a_large_vector_is_updated_in_shares_with_the_same_bits():
    n = adam._SHARED + 5
    rng = np.random.default_rng(0)
    theta, grad = (rng.standard_normal(n).astype(np.float32) for _ in range(2))
    results = []
    for threads in (1, 2):
        own, moments = theta.copy(), [np.zeros_like(theta) for _ in range(2)]
        with threadpool_limits(threads):
            for step in (1, 2):
                optimiser = AdamW()
                scalars = optimiser.scalars(step, 0.1)
                optimiser.apply(own, grad, moments, scalars, np.ones_like(theta))
        results.append(own)
    np.testing.assert_array_equal(*results)
    # The last entries, which are a share of their own, are what a short vector gives.
    own, moments = theta[-5:].copy(), [np.zeros(5, np.float32) for _ in range(2)]
    for step in (1, 2):
        AdamW().apply(own, grad[-5:], moments, AdamW().scalars(step, 0.1), np.ones(5, np.float32))
    np.testing.assert_array_equal(results[0][-5:], own)
