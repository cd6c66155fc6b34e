"""Attention: gradients, PyTorch, masks, blocks, counts."""

import tracemalloc

import numpy as np
import pytest
from gradcheck import TRAINING, Bound, bind, check_gradients, normal
from graph_tools import Beside
from target import assert_allclose, host, put, xp
from threadpoolctl import threadpool_limits

from deepreservoir import kernels
from deepreservoir.kernels import attention as module
from deepreservoir.layers import Adapter, SelfAttention

MODES = ("lora", "dora", "full", "none")


def inputs(n=3, t=5, keys=None, heads=2, d=3):
    """Return q, k, v and the gradient of the output."""
    keys = t if keys is None else keys
    shapes = [(n, t, heads, d), (n, keys, heads, d), (n, keys, heads, d), (n, t, heads, d)]
    return [put(host(normal(*shape, seed=i))) for i, shape in enumerate(shapes)]


def kept(n, keys, seed=0):
    """Return a mask of keys whose last sample has none."""
    mask = np.random.default_rng(seed).random((n, keys)) < 0.6
    mask[:, 0] = True
    mask[-1] = False
    return put(mask)


def reference(q, k, v, mask, causal):
    """Return the output and the probabilities of attention, written out with loops on the host."""
    q, k, v = (host(part) for part in (q, k, v))
    mask = None if mask is None else host(mask)
    (n, t, heads, d), keys = q.shape, k.shape[1]
    out, probabilities = np.zeros_like(q), np.zeros((n, heads, t, keys))
    for i, h, row in np.ndindex(n, heads, t):
        seen = np.arange(keys) <= (keys - t + row if causal else keys)
        scores = k[i, :, h] @ q[i, row, h] / d**0.5
        if mask is not None:
            # Without a kept key, all keys that are seen have the same weight.
            scores = scores if (mask[i] & seen).any() else 0 * scores
            seen = seen & mask[i] if (mask[i] & seen).any() else seen
        p = np.where(seen, np.exp(np.minimum(scores - scores[seen].max(), 0)), 0)
        probabilities[i, h, row] = p / p.sum()
        out[i, row, h] = probabilities[i, h, row] @ v[i, :, h]
    return out, probabilities


CASES = {
    "plain": {},
    "one token": {"t": 1},
    "one head": {"heads": 1, "d": 4},
    "one entry": {"n": 1, "t": 1, "heads": 1, "d": 1},
    "odd": {"n": 2, "t": 7, "heads": 3, "d": 5},
    "more keys": {"t": 3, "keys": 6},
    "more queries": {"t": 6, "keys": 4},
    "none": {"n": 0},
}
MASKS = ("none", "causal", "keys", "both")


# Blocks of one row, of several rows, of one head, of one and of several samples.
@pytest.mark.parametrize("rows", [1, 3, 10, 10_000])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("sizes", CASES.values(), ids=CASES)
def test_values_and_gradients(monkeypatch, sizes, kind, rows):
    q, k, v, dout = inputs(**sizes)
    for name in ("BLOCK_BYTES", "DEVICE_BLOCK_BYTES"):
        monkeypatch.setattr(module, name, rows * k.shape[1] * 8)
    monkeypatch.setattr(module, "CAUSAL_QUERIES", 2)
    mask = kept(len(q), k.shape[1]) if kind in ("keys", "both") and len(q) else None
    causal = kind in ("causal", "both")
    if causal and q.shape[1] > k.shape[1]:
        with pytest.raises(ValueError, match="got 6 queries and 4 keys"):
            kernels.softmax_attention(q, k, v, mask, causal)
        return
    out, log_sums = kernels.softmax_attention(q, k, v, mask, causal)
    expected, probabilities = reference(q, k, v, mask, causal)
    assert_allclose(out, expected, rtol=1e-7, atol=1e-9)
    found = kernels.attention_probabilities(q, k, mask, causal)
    assert_allclose(found, probabilities, rtol=1e-7, atol=1e-9)
    grads = kernels.softmax_attention_backward(dout, q, k, v, out, log_sums, mask, causal)
    for i, gradient in enumerate(grads):
        move = normal(*gradient.shape, seed=7)
        values = []
        for step in (1e-5, -1e-5):
            moved = [q, k, v]
            moved[i] = moved[i] + step * move
            values.append(float(xp.vdot(kernels.softmax_attention(*moved, mask, causal)[0], dout)))
        difference = (values[0] - values[1]) / 2e-5
        assert_allclose(float(xp.vdot(gradient, move)), difference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", MASKS)
def test_against_pytorch(kind):
    torch = pytest.importorskip("torch")
    q, k, v, dout = inputs(n=3, t=5, heads=2, d=4)
    mask = kept(3, 5)
    mask[-1] = True
    leaf = [torch.tensor(host(part)).transpose(1, 2).requires_grad_() for part in (q, k, v)]
    allowed = torch.ones(3, 1, 5, 5, dtype=torch.bool)
    if kind in ("causal", "both"):
        allowed = allowed.tril()
    if kind in ("keys", "both"):
        allowed = allowed & torch.tensor(host(mask))[:, None, None]
    y = torch.nn.functional.scaled_dot_product_attention(*leaf, attn_mask=allowed)
    y.backward(torch.tensor(host(dout)).transpose(1, 2))
    arguments = mask if kind in ("keys", "both") else None, kind in ("causal", "both")
    out, log_sums = kernels.softmax_attention(q, k, v, *arguments)
    assert_allclose(out, y.detach().transpose(1, 2).numpy(), rtol=1e-9, atol=1e-12)
    grads = kernels.softmax_attention_backward(dout, q, k, v, out, log_sums, *arguments)
    for found, part in zip(grads, leaf, strict=True):
        assert_allclose(found, part.grad.transpose(1, 2).numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_queries_without_a_kept_key_keep_their_digits_in_float32(causal):
    q, k, v, dout = inputs(n=2, t=6)
    mask = host(kept(2, 6))
    mask[0, :3] = False  # under a causal mask, the first queries see no kept key
    mask = put(mask)

    def gradients(*parts):
        out, log_sums = kernels.softmax_attention(*parts[:3], mask, causal)
        return kernels.softmax_attention_backward(parts[3], *parts[:3], out, log_sums, mask, causal)

    exact = gradients(q, k, v, dout)
    found = gradients(*(part.astype(np.float32) for part in (q, k, v, dout)))
    for gradient, expected in zip(found, exact, strict=True):
        assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_float32_is_finite_and_close_for_any_size_of_scores(size):
    q, k, v, dout = (part.astype(np.float32) for part in inputs(n=2, t=6))
    q = q * np.float32(size)
    mask = kept(2, 6)
    out, log_sums = kernels.softmax_attention(q, k, v, mask)
    expected, _ = reference(*(host(part).astype(np.float64) for part in (q, k, v)), mask, False)
    assert out.dtype == np.float32
    assert_allclose(out, expected, rtol=2e-3 if size > 1 else 1e-5, atol=1e-5)
    for part in kernels.softmax_attention_backward(dout, q, k, v, out, log_sums, mask):
        assert part.dtype == np.float32
        assert np.isfinite(host(part)).all()


@pytest.mark.host(reason="a device's memory is not traced")
def test_the_scores_of_a_batch_are_never_in_memory():
    n, t, heads, d = 8, 256, 4, 4
    q, k, v, dout = (part.astype(np.float32) for part in inputs(n, t, heads=heads, d=d))
    scores, own = n * heads * t * t * 4, n * t * heads * d * 4
    once = kernels.softmax_attention(q, k, v)  # loads compiled loops, if there are any
    kernels.softmax_attention_backward(dout, q, k, v, *once)
    tracemalloc.start()
    with threadpool_limits(1):  # each thread has a block of its own
        out, log_sums = kernels.softmax_attention(q, k, v)
        kernels.softmax_attention_backward(dout, q, k, v, out, log_sums)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scores == 8 << 20
    assert peak < 4 * module.BLOCK_BYTES + 6 * own


# The layer ------------------------------------------------------------


def layer(mode="lora", heads=2, **options):
    adapter = Adapter(mode, 2, b_init="kaiming")
    return SelfAttention("attention", 4, heads, adapter, mode == "full", **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"heads": 1}, {"queries": 1}])
def test_gradients_of_the_layer(mode, options):
    check_gradients(bind(layer(mode, **options)), normal(2, 5, 4))


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_the_layer_under_masks(causal):
    inner = layer(causal=causal, mask="tokens")
    check_gradients(bind(Beside(inner, tokens=kept(3, 5))), normal(3, 5, 4))


def test_leading_tokens_are_those_of_the_whole():
    whole, leading = bind(layer()), bind(layer(queries=2))
    leading.theta[:] = whole.theta
    x = normal(3, 5, 4)
    assert_allclose(leading.layer.forward(x)[0], whole.layer.forward(x)[0][:, :2], rtol=1e-12)


def test_excluded_and_later_tokens_have_no_influence():
    x = xp.array(normal(2, 5, 4))
    masked = bind(layer(mask="tokens")).layer
    mask = put(np.array([[True, True, False, True, False]] * 2))
    on = TRAINING.within(tokens=mask)
    y = masked.forward(x, on)[0]
    other = x.copy()
    other[:, 2] += 1
    assert_allclose(masked.forward(other, on)[0][:, :2], y[:, :2], rtol=1e-12)
    causal = bind(layer(causal=True)).layer
    y = causal.forward(x)[0]
    assert_allclose(causal.forward(other)[0][:, :2], y[:, :2], rtol=1e-12)
    assert abs(host(causal.forward(other)[0] - y)[:, 2:]).min() > 0


def test_probabilities_of_the_layer_weigh_the_values():
    bound: Bound = bind(layer("none", heads=1))
    x = normal(2, 5, 4)
    attention = bound.layer
    p = attention.probabilities(x)
    assert p.shape == (2, 1, 5, 5)
    assert_allclose(p.sum(axis=-1), np.ones((2, 1, 5)), rtol=1e-12)
    values = attention.v.forward(x)[0]
    expected = attention.o.forward(p[:, 0] @ values)[0]
    assert_allclose(attention.forward(x)[0], expected, rtol=1e-10, atol=1e-12)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="width 4 and 3 heads"):
        layer(heads=3)
    with pytest.raises(ValueError, match="causal attention computes the outputs of all tokens"):
        layer(causal=True, queries=1)
