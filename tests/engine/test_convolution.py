"""Convolutions, batch normalisation with ReLU, and pooling: gradients, PyTorch, counts, errors."""

from dataclasses import replace

import numpy as np
import pytest
from gradcheck import STEP, TRAINING, bind, check_gradients, normal
from target import assert_allclose, assert_array_equal, host, put, xp

from deepreservoir import thread_limits
from deepreservoir.layers import (
    Adapter,
    BatchNorm,
    BatchNormReLU,
    Convolution,
    ConvolutionStack,
    GlobalAveragePooling,
    Pass,
    convolution,
    norm_relu,
)
from deepreservoir.layers.activation import Activation
from deepreservoir.layers.composite import Sequential

MODES = [
    Adapter("lora", 2, scaling=0.7),
    Adapter("lora", 2, learn_beta=False),
    Adapter("dora", 2, scaling=1.3),
    Adapter("full"),
    Adapter("none", beta=0.8, learn_beta=False),
]
mode_of = pytest.mark.parametrize("adapter", MODES, ids=lambda a: f"{a.mode}-{a.learn_beta}")

SIZES = [  # h, w, c_in, c_out, kernel, stride, padding
    (5, 6, 3, 4, 3, 1, 1),
    (7, 5, 2, 3, 3, 2, 1),
    (1, 1, 1, 2, 1, 1, 0),
    (1, 1, 2, 2, 3, 1, 1),
    (6, 7, 1, 3, 2, 1, 0),
    (8, 7, 1, 2, 5, 3, 2),
    (5, 5, 2, 2, 3, 1, 0),
    (4, 5, 2, 3, 1, 2, 0),
    (4, 4, 1, 2, 1, 1, 2),
    (5, 4, 2, 3, 2, 3, 1),
]


def layer_of(sizes, adapter, **options):
    _, _, c_in, c_out, kernel, stride, padding = sizes
    adapter = replace(adapter, rank=min(adapter.rank, c_out))
    return Convolution(
        "layers.0", c_in, c_out, kernel, adapter, stride=stride, padding=padding, **options
    )


@pytest.fixture(params=["combined", "in parts"])
def way(request, monkeypatch):
    """Convolve with the combined weight, or with scaffold and adapter in parts."""
    if request.param == "in parts":
        monkeypatch.setattr(convolution, "NARROW", 0)
    return request.param


@pytest.fixture
def one_image_at_a_time(monkeypatch):
    for name in ("CHUNK_BYTES", "DEVICE_CHUNK_BYTES"):
        monkeypatch.setattr(convolution, name, 1)


# Gradients ------------------------------------------------------------


@mode_of
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.usefixtures("way", "one_image_at_a_time")
def test_gradients(sizes, adapter):
    bound = bind(layer_of(sizes, adapter, bias=True))
    check_gradients(bound, normal(2, *sizes[:3]))


@mode_of
@pytest.mark.usefixtures("way")
def test_gradients_of_a_skip(adapter):
    bound = bind(layer_of((4, 5, 3, 3, 3, 1, 1), adapter, skip=True))
    check_gradients(bound, normal(2, 4, 5, 3))


@mode_of
@pytest.mark.usefixtures("way")
def test_gradients_of_a_first_layer(adapter):
    bound = bind(layer_of(SIZES[1], adapter, needs_dx=False))
    check_gradients(bound, normal(2, *SIZES[1][:3]), needs_dx=False)


@mode_of
@pytest.mark.parametrize(
    ("family", "storage"),
    [
        ("normal", "streamed"),
        ("binary", "packed"),
        ("hadamard", "structured"),
        ("orthogonal", "dense"),
        ("kronecker", "structured"),
    ],
)
@pytest.mark.usefixtures("way", "one_image_at_a_time")
def test_gradients_on_every_storage(family, storage, adapter):
    bound = bind(layer_of(SIZES[0], adapter), family, storage)
    check_gradients(bound, normal(2, *SIZES[0][:3]))


@pytest.mark.parametrize("mode", ["lora", "dora"])
@pytest.mark.usefixtures("one_image_at_a_time")
def test_gradients_with_dropout_before_the_adapter(mode):
    bound = bind(layer_of(SIZES[0], Adapter(mode, 2, dropout=0.4)))
    check_gradients(bound, normal(3, *SIZES[0][:3]))


def test_every_chunk_has_its_own_dropout_mask(one_image_at_a_time):
    bound = bind(layer_of(SIZES[0], Adapter("lora", 2, dropout=0.5)))
    x = put(np.repeat(host(normal(1, *SIZES[0][:3])), 2, axis=0))
    first, second = host(bound.layer.forward(x, TRAINING)[0])
    assert not np.allclose(first, second)


# Values ------------------------------------------------------------


@mode_of
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("threads", [1, 3])
def test_chunks_and_threads_do_not_change_the_result(adapter, threads, monkeypatch):
    monkeypatch.setattr(thread_limits, "n_threads", lambda: threads)
    x, results = normal(5, 6, 5, 2), []
    for nbytes in (1, 3000, 1 << 20):
        for name in ("CHUNK_BYTES", "DEVICE_CHUNK_BYTES"):
            monkeypatch.setattr(convolution, name, nbytes)
        bound = bind(layer_of((6, 5, 2, 4, 3, 2, 1), adapter))
        y, cache = bound.layer.forward(x, TRAINING)
        dx = bound.layer.backward(normal(*y.shape, seed=1), cache)
        results.append([host(y), host(dx), host(bound.grad)])
    for other in results[1:]:
        for found, expected in zip(other, results[0], strict=True):
            assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@mode_of
def test_both_ways_agree(adapter, monkeypatch):
    x, results = normal(3, 6, 5, 2), []
    for narrow in (64, 0):
        monkeypatch.setattr(convolution, "NARROW", narrow)
        bound = bind(layer_of((6, 5, 2, 4, 3, 2, 1), adapter, bias=True))
        y, cache = bound.layer.forward(x, TRAINING)
        dx = bound.layer.backward(normal(*y.shape, seed=1), cache)
        results.append([host(y), host(dx), host(bound.grad)])
    for found, expected in zip(*results, strict=True):
        assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@mode_of
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.usefixtures("way")
def test_pytorch_has_the_same_values_and_gradients(sizes, adapter):
    torch = pytest.importorskip("torch")
    h, w, c_in, c_out, kernel, stride, padding = sizes
    bound = bind(layer_of(sizes, adapter))
    x = normal(2, h, w, c_in)
    y, cache = bound.layer.forward(x, TRAINING)
    dy = normal(*y.shape, seed=1)
    dx = bound.layer.backward(dy, cache)

    def channels_first(array):
        return torch.tensor(host(array).transpose(0, 3, 1, 2).copy())

    effective = bound.layer.dense.effective_weight().reshape(c_out, kernel, kernel, c_in)
    weight = torch.tensor(effective.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    images = channels_first(x).requires_grad_()
    out = torch.nn.functional.conv2d(images, weight, stride=stride, padding=padding)
    out.backward(channels_first(dy))
    assert_allclose(y, out.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-10, atol=1e-11)
    assert_allclose(dx, images.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-10, atol=1e-11)
    if adapter.mode == "full":
        expected = weight.grad.numpy().transpose(0, 2, 3, 1).reshape(c_out, -1)
        assert_allclose(bound.layer.dense.dweight, expected, rtol=1e-10, atol=1e-11)


@mode_of
@pytest.mark.usefixtures("way")
def test_an_empty_batch(adapter):
    bound = bind(layer_of(SIZES[0], adapter))
    y, cache = bound.layer.forward(normal(0, *SIZES[0][:3]), TRAINING)
    assert y.shape == (0, 5, 6, 4)
    assert bound.layer.backward(y, cache).shape == (0, 5, 6, 3)
    assert not host(bound.grad).any()


# Batch normalisation with ReLU ------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (7, 3), (1, 1, 1, 2), (2, 6, 1, 1)], ids=str)
@pytest.mark.parametrize("block", [1, 100, 1 << 18])
def test_gradients_of_normalisation_with_relu(shape, block, monkeypatch):
    monkeypatch.setattr(norm_relu, "BLOCK_BYTES", block)
    check_gradients(bind(BatchNormReLU("norm", shape[-1])), normal(*shape))


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (7, 3)], ids=str)
@pytest.mark.parametrize("block", [1, 100, 1 << 18])
@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_batch_normalisation_and_relu(shape, block, threads, monkeypatch):
    monkeypatch.setattr(thread_limits, "n_threads", lambda: threads)
    monkeypatch.setattr(norm_relu, "BLOCK_BYTES", block)
    width, x, dy = shape[-1], 5 + normal(*shape), normal(*shape, seed=1)
    fused = bind(BatchNormReLU("norm", width))
    apart = bind(Sequential([BatchNorm("norm", width), Activation("relu")]))
    outputs = []
    for bound in (fused, apart):
        y, cache = bound.layer.forward(x, TRAINING)
        dx = bound.layer.backward(dy, cache)
        norm = bound.layer if bound is fused else bound.layer.layers[0]
        later = bound.layer.forward(x)[0]
        outputs.append([y, dx, bound.grad, norm.running_mean, norm.running_var, later])
    for found, expected in zip(*outputs, strict=True):
        assert_allclose(found, expected, rtol=1e-10, atol=1e-11)


def test_moments_keep_their_digits_far_from_zero():
    x = (np.random.default_rng(0).standard_normal((64, 8, 8, 3)) + 1000).astype(np.float32)
    mean, var = norm_relu._moments(put(x, np.float32))
    wide = x.astype(np.float64).reshape(-1, 3)
    assert_allclose(mean, wide.mean(axis=0), rtol=1e-6)
    assert_allclose(var, wide.var(axis=0), rtol=1e-3)


def test_a_replay_leaves_running_averages_alone():
    bound = bind(BatchNormReLU("norm", 2))
    x = normal(3, 4, 4, 2)
    y, _ = bound.layer.forward(x, TRAINING)
    before = host(bound.layer.running_var).copy()
    again, _ = bound.layer.forward(x, Pass(STEP, replay=True))
    assert_array_equal(again, y)
    assert_array_equal(bound.layer.running_var, before)


# Stack and pooling ------------------------------------------------------------


def stack(adapter, residual=False):
    channels = [(2, 4, 1), (4, 4, 1), (4, 6, 2)]
    return ConvolutionStack(
        [
            Convolution(
                f"layers.{i}", a, b, 3, adapter, stride=s, padding=1, needs_dx=i > 0,
                skip=residual and i == 1,
            )
            for i, (a, b, s) in enumerate(channels)
        ]
    )  # fmt: skip


@pytest.mark.parametrize("residual", [False, True])
@mode_of
def test_gradients_of_a_stack(adapter, residual):
    layer = Sequential([stack(adapter, residual), GlobalAveragePooling()])
    check_gradients(bind(layer), normal(3, 5, 4, 2), needs_dx=False)


def test_pooling_is_the_mean_over_pixels():
    x = normal(2, 3, 5, 4)
    check_gradients(bind(GlobalAveragePooling()), x)
    assert_allclose(GlobalAveragePooling().forward(x)[0], host(x).mean(axis=(1, 2)))


# Sizes and refusals ------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_shape_of_the_output(sizes):
    layer = bind(layer_of(sizes, MODES[0])).layer
    shape = (3, *sizes[:3])
    assert layer.forward(xp.zeros(shape))[0].shape == layer.out_shape(shape)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 5, 6, 2), r"reads images of shape \(n, height, width, 3\); got shape \(2, 5, 6, 2\)"),
        ((2, 18), "reads images of shape"),
        ((2, 2, 6, 3), "an image of 2 x 6 pixels is smaller than the kernel of 3 x 3"),
    ],
)
def test_wrong_images_are_refused(shape, words):
    bound = bind(layer_of((5, 6, 3, 4, 3, 1, 0), MODES[0]))
    with pytest.raises(ValueError, match=words):
        bound.layer.forward(xp.zeros(shape))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride of 'conv' must be at least 1; got 0"),
        ({"padding": -1}, "padding of 'conv' must be at least 0"),
        ({"kernel_size": 0}, "kernel_size of 'conv'"),
        ({"skip": True, "padding": 0}, "skip=True needs an output of the input's shape"),
        ({"skip": True, "c_out": 5}, "4 -> 5 channels"),
    ],
)
def test_wrong_sizes_are_refused(options, words):
    given = {"c_in": 4, "c_out": 4, "kernel_size": 3, "padding": 1, "adapter": MODES[0]} | options
    with pytest.raises(ValueError, match=words):
        Convolution("conv", **given)
