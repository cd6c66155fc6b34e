"""Spectra: against NumPy's SVD of written-out matrices, and against random-matrix theory."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreservoir import MLPConfig, Network, ScaffoldSpec, make_scaffold
from deepreservoir.analysis import (
    adapter_spectrum,
    scaffold_spectrum,
    spectra_of,
    spectrum,
)

STORED = [
    ("normal", "dense"),
    ("exponential", "packed"),
    ("binary", "packed"),
    ("normal_4bit", "streamed"),
    ("orthogonal", "dense"),
    ("spectral_radius", "streamed"),
    ("hadamard", "structured"),
    ("kronecker", "structured"),
]


def scaffold(family, shape, storage="auto", dtype=np.float32, scale=1.0):
    return make_scaffold(ScaffoldSpec(family, shape, 3, "layers.0", scale), storage, dtype)


def singular_values(matrix):
    return np.linalg.svd(matrix.astype(np.float64), compute_uv=False)


def network(**given):
    """A network whose trained parameters are not at their start."""
    shape = {"n_features": 12, "n_outputs": 7, "hidden_layer_sizes": (20, 20, 9), "rank": 3}
    net = Network(MLPConfig(**(shape | given)), seed=1)
    net.theta += np.random.default_rng(0).normal(scale=0.3, size=net.theta.shape).astype(net.dtype)
    return net


# Scaffolds ----------------------------------------------------------------------------------


# A Kronecker product is rounded once a factor in products, and once a weight when written out.
@pytest.mark.parametrize("gram_limit", [spectrum._GRAM_LIMIT, 0], ids=["gram", "lanczos"])
@pytest.mark.parametrize("shape", [(130, 120), (120, 130), (128, 128)], ids=str)
@pytest.mark.parametrize(("family", "storage"), STORED)
def test_scaffold_against_the_svd_of_the_weights(family, storage, shape, gram_limit, monkeypatch):
    monkeypatch.setattr(spectrum, "_GRAM_LIMIT", gram_limit)
    of = scaffold(family, shape, storage)
    found, weights = scaffold_spectrum(of), of.dense().astype(np.float64)
    values = singular_values(weights)
    assert (found.family, found.shape) == (family, shape)
    assert found.largest == pytest.approx(values[0], rel=1e-6 if family == "kronecker" else 1e-9)
    assert found.frobenius == pytest.approx(np.linalg.norm(values), rel=1e-9)
    assert found.sigma == pytest.approx(weights.std(), rel=1e-9)
    assert found.predicted == pytest.approx(
        weights.std() * (math.sqrt(shape[0]) + math.sqrt(shape[1])), rel=1e-9
    )
    assert found.ratio == found.largest / found.predicted


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (300, 5), (5, 300)], ids=str)
def test_narrow_scaffolds(shape):
    of = scaffold("normal", shape)
    assert scaffold_spectrum(of).largest == pytest.approx(singular_values(of.dense())[0], rel=1e-9)


@pytest.mark.parametrize("shape", [(600, 520), (257, 2)], ids=str)
def test_gram_matrices_of_several_chunks(shape):
    of = scaffold("uniform", shape, "streamed", np.float64)
    assert scaffold_spectrum(of).largest == pytest.approx(singular_values(of.dense())[0], rel=1e-9)


@pytest.mark.parametrize("family", ["normal", "uniform", "binary", "sparse_normal", "normal_2bit"])
@pytest.mark.parametrize("shape", [(700, 500), (200, 1024)], ids=str)
def test_independent_entries_reach_the_edge_that_random_matrices_predict(family, shape):
    # Around the edge the largest value varies by about n^(-2/3) of it, and stays below by as much.
    found = scaffold_spectrum(scaffold(family, shape, scale=1.7))
    assert found.sigma == pytest.approx(1.7 / math.sqrt(shape[1]), rel=0.01)
    assert 0.97 < found.ratio < 1.005


def test_families_that_do_not_keep_to_the_prediction():
    ratio = {f: scaffold_spectrum(scaffold(f, (512, 512))).ratio
             for f in ("orthogonal", "hadamard", "kronecker", "student_t")}  # fmt: skip
    assert ratio["orthogonal"] == pytest.approx(0.5, rel=1e-3)  # all singular values are one
    assert ratio["hadamard"] == pytest.approx(0.5, rel=1e-3)
    assert ratio["kronecker"] > 1.5  # two edges multiply: (2 * 2) / 2, less what small factors lack
    assert ratio["student_t"] > 1.05  # heavy tails: a few entries decide


def test_gains_scale_and_zeros_have_no_spectrum():
    small, large = (scaffold_spectrum(scaffold("normal", (30, 20), scale=g)) for g in (1.0, 4.0))
    assert large.largest == pytest.approx(4 * small.largest, rel=1e-6)
    assert large.ratio == pytest.approx(small.ratio, rel=1e-6)
    zero = scaffold_spectrum(scaffold("zero", (30, 20)))
    assert (zero.largest, zero.sigma, zero.frobenius, zero.predicted) == (0, 0, 0, 0)
    assert math.isnan(zero.ratio)


def test_a_streamed_scaffold_is_never_written_out(monkeypatch):
    of = scaffold("normal", (400, 300), "streamed")
    expected = singular_values(of.dense())[0]
    monkeypatch.setattr(type(of), "dense", None)
    assert scaffold_spectrum(of).largest == pytest.approx(expected, rel=1e-9)


# Adapters -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.floats(0.1, 20),
    st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_adapter_against_the_svd_of_the_product(d_in, d_out, rank, scaling, seed, dtype):
    rank = min(rank, d_in, d_out)
    rng = np.random.default_rng(seed)
    A, B = (rng.normal(size=s).astype(dtype) for s in ((rank, d_in), (d_out, rank)))
    found = adapter_spectrum(A, B, scaling)
    product = scaling * B.astype(np.float64) @ A.astype(np.float64)
    expected = singular_values(product)[:rank]
    np.testing.assert_allclose(found.singular_values, expected, rtol=1e-9, atol=1e-12 * expected[0])
    assert found.frobenius == pytest.approx(np.linalg.norm(product), rel=1e-9)
    share = expected[expected > 0] / expected.sum()
    entropy = -(share * np.log(share)).sum()
    assert found.effective_rank == pytest.approx(math.exp(entropy), rel=1e-6)
    assert found.stable_rank == pytest.approx((expected**2).sum() / expected[0] ** 2, rel=1e-9)
    # Sum t^2 <= sum t = 1 / p_1, and no entropy is below that of the largest share.
    assert 1 - 1e-9 <= found.stable_rank <= found.effective_rank + 1e-9 <= rank + 1e-8


def test_ranks_of_known_spectra():
    A = np.eye(4, 30)
    equal = adapter_spectrum(A, np.eye(20, 4))
    assert equal.effective_rank == pytest.approx(4)
    assert equal.stable_rank == pytest.approx(4)
    single = adapter_spectrum(np.ones((4, 30)), np.ones((20, 4)))
    assert single.effective_rank == pytest.approx(1, abs=1e-6)
    assert single.stable_rank == pytest.approx(1, abs=1e-9)
    assert single.largest == pytest.approx(4 * math.sqrt(600))
    nothing = adapter_spectrum(A, np.zeros((20, 4)))
    assert (nothing.largest, nothing.effective_rank, nothing.stable_rank) == (0, 0, 0)


# Layers of a model --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"adapter": "dora", "head": "lora"},
        {"head": "lora+bias", "lora_alpha": 5.0, "scaling": "rslora"},
        {"residual": True, "layer_norm": True, "dtype": "float64", "beta": -0.5},
        {"scaffold": "binary", "storage": "packed", "beta": "fixed"},
        {"storage": "streamed"},
        {"scaffold": "hadamard"},
        {"scaffold": "kronecker"},
    ],
    ids=str,
)
def test_layers_against_written_out_matrices(given):
    net = network(**given)
    found = spectra_of(net)
    assert [layer.path for layer in found] == list(net.betas())
    named = net.named_parameters()
    for layer in found:
        A, B = (named[f"{layer.path}.{name}"].astype(np.float64) for name in "AB")
        s = net.adapted[layer.path].adapter.scaling
        frozen = net.betas()[layer.path] * net.scaffolds[layer.path].dense().astype(np.float64)
        adapted, base = singular_values(s * B @ A), singular_values(frozen)
        np.testing.assert_allclose(layer.adapter.singular_values, adapted[: len(A)], rtol=1e-9)
        assert layer.norm_ratio == pytest.approx(adapted[0] / base[0], rel=1e-6)
        assert layer.frobenius_ratio == pytest.approx(
            np.linalg.norm(adapted) / np.linalg.norm(base), rel=1e-6
        )


def test_parts_add_up_to_the_effective_weight():
    # The largest singular value of a sum is at most the sum of those of its parts.
    net = network()
    for layer in spectra_of(net):
        whole = singular_values(net.adapted[layer.path].effective_weight())[0]
        parts = sorted([abs(layer.beta) * layer.scaffold.largest, layer.adapter.largest])
        assert parts[1] - parts[0] <= whole <= sum(parts)


def test_layers_without_a_low_rank_path_add_nothing():
    found = spectra_of(network(adapter="none", beta=2.0))
    assert [(layer.beta, layer.adapter, layer.norm_ratio) for layer in found] == [
        (2.0, None, 0)
    ] * 3


def test_a_trained_matrix_has_no_scaffold():
    assert spectra_of(network(adapter="full")) == ()
    assert [layer.path for layer in spectra_of(network(adapter="full", head="lora"))] == ["head"]


def test_ratios_over_a_scaffold_of_zeros():
    (path, *_) = spectra_of(network(scaffold="zero"))
    assert path.norm_ratio == path.frobenius_ratio == math.inf
    (nothing, *_) = spectra_of(network(scaffold="zero", adapter="none"))
    assert math.isnan(nothing.norm_ratio)


def test_a_network_at_its_start_has_no_path():
    net = Network(MLPConfig(12, 7, (20,), rank=3), seed=0)
    (layer,) = spectra_of(net)
    assert layer.adapter.singular_values.tolist() == [0, 0, 0]
    assert layer.norm_ratio == layer.frobenius_ratio == 0


def test_what_has_no_network_is_refused():
    with pytest.raises(TypeError, match="a fitted deep estimator"):
        spectra_of("model.safetensors")
