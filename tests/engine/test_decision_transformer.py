"""Decision Transformers: gradients, a PyTorch twin with padding on the left, counts."""

from dataclasses import replace

import numpy as np
import pytest
from gradcheck import TRAINING, Bound, bind, bound_network, check_gradients, normal
from target import assert_allclose, device, host, put, xp

from deepreservoir import Network
from deepreservoir.layers import Layer, ObservationTokens, Pass, TrajectoryEmbedding
from deepreservoir.models import DecisionTransformerConfig, from_plain

SMALL = DecisionTransformerConfig(
    3, 2, 9, context=4, width=8, depth=2, heads=2, mlp_ratio=2, dropout=0.0, rank=2,
    b_init="kaiming", dtype="float64",
)  # fmt: skip
TIMES = np.array([[0, 1, 2, 3], [5, 6, 7, 8], [2, 3, 4, 5]], np.int32)


class AtTimes(Layer):
    """A layer whose windows are at known time steps."""

    def __init__(self, layer, times):
        super().__init__()
        self.layer, self.times = layer, put(times)

    @property
    def children(self):
        return (self.layer,)

    def forward(self, x, on):
        return self.layer.forward(x, on.within(time_steps=self.times))

    def backward(self, dy, cache):
        return self.layer.backward(dy, cache)

    def out_shape(self, shape):
        return self.layer.out_shape(shape)


def at_times(bound, times=TIMES):
    return Bound(AtTimes(bound.layer, times), *bound[1:])


def test_gradients_of_the_embedding():
    layer = TrajectoryEmbedding("embedding", 3, 2, 9, 6)
    # Two windows share a time step, whose embedding has the sum of both gradients.
    check_gradients(at_times(bind(layer)), normal(3, 4, 6), needs_dx=False)


def test_gradients_of_the_observation_tokens():
    tokens = ObservationTokens()
    assert tokens.out_shape((2, 6, 4)) == tokens.forward(normal(2, 6, 4))[0].shape == (2, 2, 4)
    check_gradients(bind(tokens), normal(2, 6, 4))


@pytest.mark.parametrize("mode", ["lora", "dora", "full", "none"])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.2, "adapter_dropout": 0.3, "depth": 1}])
def test_gradients_of_the_network(mode, options):
    network = Network(replace(SMALL, adapter=mode, **options), 0, device=device)
    check_gradients(at_times(bound_network(network)), normal(3, 4, 6), needs_dx=False)


def test_against_pytorch_with_padding_on_the_left():
    """The paddings of kzl/decision-transformer and of this network have the same outputs."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    config = replace(SMALL, adapter="full", depth=1)
    bound = bound_network(Network(config, 0, device=device))
    leaf = {
        path: torch.tensor(host(view), requires_grad=True)
        for path, view in bound.params.views(bound.theta).items()
    }

    def linear(x, path):
        return F.linear(x, leaf[f"{path}.weight"], leaf[f"{path}.bias"])

    def norm(x, path):
        return F.layer_norm(x, (8,), leaf[f"{path}.weight"], leaf[f"{path}.bias"])

    lengths = [4, 2, 3]
    x = normal(3, 4, 6)
    kept = torch.zeros(3, 4, dtype=torch.bool)
    left, times = torch.full((3, 4, 6), -10.0).double(), torch.zeros(3, 4, dtype=torch.long)
    for i, n in enumerate(lengths):
        left[i, 4 - n :] = torch.tensor(host(x)[i, :n])
        times[i, 4 - n :] = torch.tensor(TIMES[i, :n])
        kept[i, 4 - n :] = True
    at = leaf["embedding.time.table"][times]
    parts = (left[..., :1], left[..., 1:4], left[..., 4:])
    names = ("return", "observation", "action")
    tokens = [linear(u, f"embedding.{v}") + at for u, v in zip(parts, names, strict=True)]
    h = norm(torch.stack(tokens, 2).flatten(1, 2), "embedding.norm")  # (3, 12, 8)
    seen = kept.repeat_interleave(3, 1)[:, None, None, :] & torch.ones(12, 12).tril().bool()
    # A padded query sees nothing: it may attend to itself.
    seen = seen | torch.eye(12).bool()
    u, p = norm(h, "layers.0.norm1"), "layers.0"
    q, k, v = (
        linear(u, f"{p}.attention.{name}").unflatten(-1, (2, 4)).transpose(1, 2) for name in "qkv"
    )
    a = F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2)
    h = h + linear(a, f"{p}.attention.o")
    h = h + linear(F.relu(linear(norm(h, f"{p}.norm2"), f"{p}.mlp.in")), f"{p}.mlp.out")
    out = torch.tanh(linear(norm(h[:, 1::3], "norm"), "head"))
    expected = torch.cat([out[i, 4 - n :] for i, n in enumerate(lengths)])

    y, cache = AtTimes(bound.layer, TIMES).forward(x, TRAINING)
    found = np.concatenate([host(y)[i, :n] for i, n in enumerate(lengths)])
    assert_allclose(found, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
    weights = np.arange(4) < np.array(lengths)[:, None]
    dy = xp.array(normal(*y.shape, seed=1)) * put(weights)[..., None]
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    expected.backward(torch.tensor(host(dy)[weights]))
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaf[path].grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=path)


def test_later_steps_and_the_own_action_have_no_influence():
    network = Network(SMALL, 0, device=device)
    on = Pass(side={"time_steps": put(TIMES)})
    x = xp.array(normal(3, 4, 6))
    y = network.forward(x, on)[0]
    other = xp.array(x)
    other[:, 2, 4:] += 1  # the action of the third step
    other[:, 3] += 1
    changed = network.forward(other, on)[0]
    assert_allclose(changed[:, :3], y[:, :3], rtol=1e-12)
    other[:, 2, 1] += 1  # an observation
    assert abs(host(network.forward(other, on)[0] - y)[:, 2]).max() > 1e-3


@pytest.mark.parametrize("rank", [1, 8, 32])
def test_the_counts_of_the_paper(rank):
    small = DecisionTransformerConfig(17, 6, 1000, rank=rank)
    assert small.n_params == 134_296 + 6_912 * rank
    assert small.fully_trained().n_params == 727_558
    # The paper's shares, whose denominator is the network with its adapters.
    share = 100 * small.n_params / (727_558 + 6_912 * rank + 18)
    assert round(share, 2) == {1: 19.23, 8: 24.22, 32: 37.47}[rank]
    large = replace(small, width=1024, depth=12, heads=8)
    assert large.n_params == 1_111_118 + 221_184 * rank
    assert from_plain(large.to_plain()) == large


def test_multiply_adds_are_those_of_the_products():
    network = Network(replace(SMALL, adapter="full", depth=1), 0, device=device)
    n, k, d, tokens = 3, 4, 8, 12
    found = network.root.multiply_adds((n, k, 6))
    embeddings = n * k * (1 + 3 + 2) * d
    matrices = n * tokens * (4 * d * d + 2 * d * 2 * d)
    pairs, head = n * tokens * tokens * d, n * k * d * 2
    assert found.forward == embeddings + matrices + 2 * pairs + head
    # Nothing needs the gradient of the inputs of the embeddings.
    assert found.backward == embeddings + 2 * (matrices + head) + 5 * pairs


def test_a_network_of_equal_size_is_narrower():
    config = replace(SMALL, dtype="float32")
    smaller = config.resized(config.n_params)
    assert smaller.adapter == "full"
    assert smaller.n_params <= config.n_params
    assert replace(smaller, width=smaller.width + 2).n_params > config.n_params


@pytest.mark.parametrize(
    "wrong", [{"width": 7}, {"heads": 0}, {"dropout": 1.0}, {"max_steps": 0}, {"rank": 9}]
)
def test_wrong_fields_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SMALL, **wrong)
