"""The closed-form continuous-time cell: gradients, PyTorch as an oracle, recomputed activations."""

import tracemalloc

import numpy as np
import pytest
from gradcheck import TRAINING, bind, check_gradients, normal
from target import assert_allclose, assert_array_equal, host, put, xp

from deepreservoir.layers import Adapter, CfC, Dense, Layer, Pass, Sequential, Step
from deepreservoir.layers.cfc import SEGMENT
from deepreservoir.losses import SoftmaxCrossEntropy

D_IN, UNITS, BACKBONE = 3, 5, 4


class Beside(Layer):
    """A layer that gets fixed side arrays."""

    def __init__(self, layer, **side):
        super().__init__("beside")
        self.layer, self.side = layer, side

    @property
    def children(self):
        return (self.layer,)

    def forward(self, x, on=TRAINING):
        return self.layer.forward(x, on.within(**self.side))

    def backward(self, dy, cache):
        return self.layer.backward(dy, cache)

    def out_shape(self, shape):
        return self.layer.out_shape(shape)


def cell(recompute=False, dropout=0.0, layers=2, **adapter):
    def adapter_of(d_in, d_out):
        return Adapter(**({"rank": 2, "scaling": 0.7} | adapter))

    return CfC("cell", D_IN, UNITS, BACKBONE, layers, adapter_of, dropout, recompute)


def side(lengths, seed=0):
    lengths = np.array(lengths)
    random = np.random.default_rng(seed)
    return {
        "lengths": lengths,
        "elapsed": put(random.uniform(0.1, 2, (len(lengths), max(lengths)))),
    }


def bound(layer, lengths, **options):
    return bind(Beside(layer, **side(lengths)), **options)


RAGGED = {
    "one step": [1],
    "one step each": [1, 1],
    "equal": [3, 3, 3],
    "ragged": [2, 5, 1, 12],
    "longer than a segment": [SEGMENT + 3, 2, SEGMENT, 2 * SEGMENT + 1],
}


@pytest.mark.parametrize("lengths", RAGGED.values(), ids=RAGGED)
@pytest.mark.parametrize("mode", ["lora", "dora", "full", "none"])
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients(lengths, mode, recompute):
    layer = bound(cell(recompute, mode=mode), lengths)
    check_gradients(layer, normal(len(lengths), max(lengths), D_IN), needs_dx=False)


@pytest.mark.parametrize("length", range(1, 13))
def test_gradients_of_each_length(length):
    check_gradients(bound(cell(), [length, 1]), normal(2, length, D_IN), needs_dx=False)


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.4},
        {"dropout": 0.4, "recompute": True},
        {"layers": 1},
        {"layers": 3, "dropout": 0.3},
        {"learn_beta": False, "beta": 0.5},
        {"beta": 0.0},
    ],
    ids=str,
)
def test_gradients_with_options(options):
    check_gradients(bound(cell(**options), [4, 7, 2]), normal(3, 7, D_IN), needs_dx=False)


@pytest.mark.parametrize("mode", ["lora", "dora"])
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_with_adapter_dropout(mode, recompute):
    adapter = Adapter(mode=mode, rank=2, dropout=0.4)
    layer = CfC("cell", D_IN, UNITS, BACKBONE, 2, lambda *_: adapter, 0.3, recompute)
    check_gradients(bound(layer, [3, 5]), normal(2, 5, D_IN), needs_dx=False)


@pytest.mark.parametrize("storage", ["packed", "streamed"])
def test_gradients_of_other_storages(storage):
    layer = bound(cell(), [3, 5], family="binary", storage=storage)
    check_gradients(layer, normal(2, 5, D_IN), needs_dx=False)


def test_gradients_of_structured_weights():
    layer = bound(cell(), [3, 5], family="hadamard", storage="structured")
    check_gradients(layer, normal(2, 5, D_IN), needs_dx=False)


def run(layer, x, lengths, training=True):
    on = Pass(Step(5, 2)) if training else Pass()
    return layer.forward(x, on.within(**side(lengths)))


@pytest.mark.parametrize("adapter_dropout", [0.0, 0.3])
def test_recomputing_has_the_same_bits(adapter_dropout):
    lengths, gradients = [SEGMENT + 5, 3, 2 * SEGMENT + 2], []
    adapter = Adapter(rank=2, dropout=adapter_dropout)
    for recompute in (False, True):
        layer = CfC("cell", D_IN, UNITS, BACKBONE, 2, lambda *_: adapter, 0.3, recompute)
        grad = bind(layer).grad
        y, cache = run(layer, normal(3, max(lengths), D_IN), lengths)
        layer.backward(normal(*y.shape, seed=1), cache)
        gradients.append((host(y), host(grad).copy()))
    assert_array_equal(gradients[0][0], gradients[1][0])
    assert_array_equal(gradients[0][1], gradients[1][1])


def test_one_product_equals_a_product_per_head():
    """Composed matrices give what AdaptedDense gives, head by head and step by step."""
    layer = cell()
    bind(layer)
    lengths = [4, 4]
    x, given = normal(2, 4, D_IN), side(lengths)
    state = xp.zeros((2, UNITS))
    for t in range(4):
        z = xp.concatenate([x[:, t], state], axis=1)
        for dense in layer.backbone:
            z = dense.forward(z)[0]
            z = z / (1 + xp.exp(-z))
        ff1, ff2, a, b = (head.forward(z)[0] for head in layer.heads)
        g = 1 / (1 + xp.exp(-(a * given["elapsed"][:, t : t + 1] + b)))
        state = (1 - g) * xp.tanh(ff1) + g * xp.tanh(ff2)
    assert_allclose(run(layer, x, lengths, training=False)[0], state, rtol=1e-12)


def test_neither_padding_nor_the_batch_is_seen():
    layer = cell()
    bind(layer)
    lengths = [2, 9, 5]
    x = np.array(host(normal(3, 9, D_IN)))
    together = host(run(layer, put(x), lengths)[0])
    for i, length in enumerate(lengths):
        given = {k: v[i : i + 1] for k, v in side(lengths).items()}
        given["elapsed"] = given["elapsed"][:, :length]
        alone = layer.forward(put(x[i : i + 1, :length]), Pass().within(**given))[0]
        assert_allclose(host(alone)[0], together[i], rtol=1e-12, atol=1e-14)
        x[i, length:] = np.nan
    assert_array_equal(host(run(layer, put(x), lengths)[0]), together)


@pytest.mark.host(reason="PyTorch is the oracle")
def test_like_pytorch():
    torch = pytest.importorskip("torch")
    lengths = [6, 1, 3]
    layer = Sequential([cell(), Dense("head", UNITS, 2)])
    made = bind(layer)
    x, given = np.array(normal(3, 6, D_IN)), side(lengths)
    y, cache = layer.forward(x, TRAINING.within(**given))
    value, dy = SoftmaxCrossEntropy()(y, np.array([0, 1, 1]))
    layer.backward(dy, cache)

    theta = torch.tensor(made.theta, requires_grad=True)
    named, start = {}, 0
    for slot in made.params.slots:
        named[slot.path] = theta[start : start + slot.size].reshape(slot.shape)
        start += slot.size

    def dense(path, z):
        own = next(each for each in layer.walk() if each.path == path)
        frozen = torch.tensor(own.scaffold.dense().astype(float))
        weight = named[f"{path}.beta"] * frozen
        weight = weight + own.adapter.scaling * named[f"{path}.B"] @ named[f"{path}.A"]
        return z @ weight.T + named[f"{path}.bias"]

    outputs = []
    for i, length in enumerate(lengths):
        state = torch.zeros(1, UNITS, dtype=torch.float64)
        for t in range(length):
            z = torch.cat([torch.tensor(x[i : i + 1, t]), state], dim=1)
            for k in range(2):
                z = torch.nn.functional.silu(dense(f"cell.backbone.{k}", z))
            ff1, ff2, a, b = (
                dense(f"cell.{name}", z) for name in ("ff1", "ff2", "time_a", "time_b")
            )
            g = torch.sigmoid(a * float(given["elapsed"][i, t]) + b)
            state = (1 - g) * torch.tanh(ff1) + g * torch.tanh(ff2)
        outputs.append(state @ named["head.weight"].T + named["head.bias"])
    loss = torch.nn.functional.cross_entropy(torch.cat(outputs), torch.tensor([0, 1, 1]))
    loss.backward()
    assert_allclose(value, loss.item(), rtol=1e-12)
    assert_allclose(made.grad, theta.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_recomputing_keeps_no_activations():
    """With recomputing, only inputs and states are kept between forward and backward."""
    lengths = [40] * 8
    sizes = []
    for recompute in (False, True):
        layer = cell(recompute)
        bind(layer)
        _, cache = run(layer, normal(8, 40, D_IN), lengths)
        sizes.append(sum(kept is not None for kept in cache.kept))
    assert sizes == [3, 0]


@pytest.mark.host(reason="the host's allocations are traced")
def test_recomputing_needs_less_memory():
    peaks = []
    for recompute in (False, True):
        layer = CfC("cell", 3, 64, 16, 2, lambda *_: Adapter(rank=2), recompute=recompute)
        bind(layer)
        x, given = normal(16, 6 * SEGMENT, 3), side([6 * SEGMENT] * 16)
        tracemalloc.start()
        y, cache = layer.forward(x, TRAINING.within(**given))
        layer.backward(y, cache)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Inputs and states of all steps, and the activations of one of the six segments.
    assert peaks[1] < 0.5 * peaks[0]
