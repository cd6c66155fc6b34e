"""Losses against PyTorch, row by row, and against finite differences of their own values."""

import numpy as np
import pytest
from gradcheck import normal
from target import assert_allclose, assert_array_equal, host, put, xp

from deepreservoir.losses import BinaryCrossEntropy, Huber, SoftmaxCrossEntropy, SquaredError

N, K = 7, 4
CLASS_WEIGHT = (0.5, 2.0, 1.25, 0.1)
CLASSES = put(np.random.default_rng(1).integers(0, K, N))
LABELS = put(np.random.default_rng(2).integers(0, 2, (N, K)), np.float64)
SHARES = put(np.random.default_rng(5).dirichlet(np.ones(K), N))
VALUES = 2 * normal(N, K, seed=3)
ROW_WEIGHTS = put(np.random.default_rng(4).uniform(0.1, 3, N))

LOSSES = [
    *(
        (SoftmaxCrossEntropy(smoothing, weight), CLASSES)
        for smoothing in (0.0, 0.1, 0.9)
        for weight in (None, CLASS_WEIGHT)
    ),
    *(
        (SoftmaxCrossEntropy(smoothing, weight), SHARES)
        for smoothing in (0.0, 0.1)
        for weight in (None, CLASS_WEIGHT)
    ),
    *(
        (BinaryCrossEntropy(weight, smoothing), LABELS)
        for weight in (1.0, 11.69)
        for smoothing in (0.0, 0.2)
    ),
    (SquaredError(), VALUES),
    *((Huber(delta), VALUES) for delta in (0.3, 1.0, 4.0)),
]
every_loss = pytest.mark.parametrize(("loss", "targets"), LOSSES, ids=lambda v: repr(v)[:90])
row_weights = pytest.mark.parametrize("weights", [None, ROW_WEIGHTS], ids=["even", "weighted"])


def torch_rows(loss, outputs, targets):
    """Return PyTorch's loss of each row, summed or averaged over the outputs of the row."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    outputs, targets = torch.tensor(host(outputs).copy()), torch.tensor(host(targets).copy())
    if isinstance(loss, SoftmaxCrossEntropy):
        weight = loss.class_weight
        return F.cross_entropy(
            outputs,
            targets,
            weight=None if weight is None else torch.tensor(weight, dtype=torch.float64),
            label_smoothing=loss.label_smoothing,
            reduction="none",
        ).numpy()
    if isinstance(loss, BinaryCrossEntropy):
        smoothed = targets * (1 - loss.label_smoothing) + loss.label_smoothing / 2
        rows = F.binary_cross_entropy_with_logits(
            outputs,
            smoothed,
            pos_weight=torch.tensor(loss.positive_weight, dtype=torch.float64),
            reduction="none",
        )
        return rows.sum(dim=1).numpy()
    if isinstance(loss, Huber):
        rows = F.huber_loss(outputs, targets, delta=loss.delta, reduction="none")
    else:
        rows = F.mse_loss(outputs, targets, reduction="none")
    return rows.mean(dim=1).numpy()


@every_loss
@row_weights
def test_value_is_the_weighted_mean_of_torchs_rows(loss, targets, weights):
    outputs = 2 * normal(N, K)
    rows = torch_rows(loss, outputs, targets)
    expected = (rows * (1 if weights is None else host(weights))).sum() / N
    value, _ = loss(outputs, targets, weights)
    assert_allclose(value, expected, rtol=1e-12)


@every_loss
@row_weights
def test_gradient_is_the_finite_difference_of_the_value(loss, targets, weights):
    outputs, width = 2 * normal(N, K), 1e-5
    _, gradient = loss(outputs, targets, weights)
    expected = np.empty(outputs.shape)
    for index in np.ndindex(outputs.shape):
        move = xp.zeros_like(outputs)
        move[index] = width
        ahead, behind = (float(loss(outputs + m, targets, weights)[0]) for m in (move, -move))
        expected[index] = (ahead - behind) / (2 * width)
    assert_allclose(gradient, expected, rtol=1e-7, atol=1e-9)


@every_loss
def test_ones_are_the_weights_that_are_not_given(loss, targets):
    value, gradient = loss(2 * normal(N, K), targets)
    weighted, weighted_gradient = loss(2 * normal(N, K), targets, xp.ones(N))
    assert_allclose(weighted, value, rtol=1e-14)
    assert_allclose(weighted_gradient, gradient, rtol=1e-14)


@every_loss
@row_weights
def test_the_sum_is_divided_by_n_where_it_is_given(loss, targets, weights):
    outputs = 2 * normal(N, K)
    value, gradient = loss(outputs, targets, weights)
    same, same_gradient = loss(outputs, targets, weights, N)
    assert float(same) == float(value)
    assert_array_equal(same_gradient, gradient)
    smaller, smaller_gradient = loss(outputs, targets, weights, 10.0 * N)
    assert_allclose(smaller, value / 10, rtol=1e-13)
    assert_allclose(smaller_gradient, gradient / 10, rtol=1e-12)


@every_loss
@row_weights
def test_losses_of_blocks_add_up_to_that_of_all_rows(loss, targets, weights):
    outputs = 2 * normal(N, K)
    value, gradient = loss(outputs, targets, weights)
    parts = [
        loss(outputs[rows], targets[rows], None if weights is None else weights[rows], N)
        for rows in (slice(0, 2), slice(2, 6), slice(6, N))
    ]
    assert_allclose(sum(float(part) for part, _ in parts), value, rtol=1e-13)
    assert_allclose(xp.concatenate([part for _, part in parts]), gradient, rtol=1e-13)


@every_loss
def test_a_row_of_weight_zero_counts_for_nothing(loss, targets):
    weights = xp.ones(N)
    weights[2] = 0
    outputs = 2 * normal(N, K)
    moved = outputs.copy()
    moved[2] += 5
    value, gradient = loss(outputs, targets, weights)
    assert_allclose(loss(moved, targets, weights)[0], value, rtol=1e-14)
    assert not gradient[2].any()
    assert gradient[3].any()


@every_loss
@row_weights
def test_float32_stays_float32_and_agrees_with_float64(loss, targets, weights):
    outputs = normal(N, K)
    narrow = [
        v.astype(np.float32) if v is not None and v.dtype == np.float64 else v
        for v in (outputs, targets, weights)
    ]
    value, gradient = loss(*narrow)
    wide_value, wide_gradient = loss(outputs, targets, weights)
    assert (value.dtype, gradient.dtype) == (np.float32, np.float32)
    assert_allclose(value, wide_value, rtol=1e-5)
    assert_allclose(gradient, wide_gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [200.0, 1e4, 1e12])
@pytest.mark.parametrize(
    ("loss", "targets"), [case for case in LOSSES if not isinstance(case[0], SquaredError)]
)
def test_extreme_outputs_give_finite_values_and_gradients(loss, targets, size, dtype):
    outputs = xp.sign(normal(N, K)).astype(dtype) * dtype(size)
    given = targets.astype(dtype) if targets.dtype == np.float64 else targets
    value, gradient = loss(outputs, given)
    assert xp.isfinite(value)
    assert xp.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(2.0), SquaredError(), Huber()])
def test_flat_targets_of_a_single_output_mean_a_column(loss):
    outputs, targets = normal(N, 1), LABELS[:, 0]
    flat, column = loss(outputs, targets), loss(outputs, targets[:, None])
    assert flat[0] == column[0]
    assert_array_equal(flat[1], column[1])


def test_confident_and_right_costs_nothing():
    logits = xp.where(xp.arange(K) == CLASSES[:, None], 1e3, -1e3)
    assert SoftmaxCrossEntropy()(logits, CLASSES)[0] == 0
    assert BinaryCrossEntropy()(1e3 * (2 * LABELS - 1), LABELS)[0] == 0


def test_huber_is_half_the_squared_error_up_to_delta_and_linear_beyond():
    huber = Huber(delta=2.0)
    zero = xp.zeros((1, 1))
    assert float(huber(put([[1.5]]), zero)[0]) == pytest.approx(0.5 * 1.5**2)
    assert float(huber(put([[5.0]]), zero)[0]) == pytest.approx(2 * (5 - 1))
    assert huber(put([[-5.0]]), zero)[1].item() == -2.0


def test_a_loss_does_not_write_to_what_it_is_given():
    for loss, targets in LOSSES:
        kept = targets.copy()
        outputs = normal(N, K)  # read-only
        loss(outputs, targets, ROW_WEIGHTS)
        assert_array_equal(targets, kept)


@pytest.mark.host(reason="a device has a kernel for rows of any width")
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 7)], ids=["plain", "weighted"])
@pytest.mark.parametrize("n", [None, 10.0])
def test_wide_outputs_are_the_same_in_blocks_of_any_size(weights, n, monkeypatch):
    """As over a vocabulary; what is larger than a block has a path of its own."""
    rng = np.random.default_rng(0)
    outputs, targets = 30 * rng.standard_normal((7, 5)), rng.integers(0, 5, 7)
    expected = SoftmaxCrossEntropy()(outputs, targets, weights, n)
    found = []
    for rows in (1, 3, 6):
        monkeypatch.setattr("deepreservoir.kernels.softmax.BLOCK_BYTES", rows * 5 * 8)
        found.append(SoftmaxCrossEntropy()(outputs, targets, weights, n))
    for value, gradient in found:
        assert value == found[0][0]
        assert_array_equal(gradient, found[0][1])
    assert_allclose(found[0][0], expected[0], rtol=1e-12)
    assert_allclose(found[0][1], expected[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_class_without_an_output_is_an_error(smoothing):
    with pytest.raises(IndexError):
        SoftmaxCrossEntropy(label_smoothing=smoothing)(np.zeros((2, 3)), np.array([3, 0]))
