"""Network: adapters shared across scaffolds, pickling, outputs in chunks, what it counts."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
from gradcheck import jitter, normal
from target import assert_allclose, assert_array_equal, device, host, xp

from deepreservoir.inputs import CHUNK_ROWS, Table
from deepreservoir.layers import Pass, Step
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network

TRAINING = Pass(Step(0, 0))


def make(seed=1, *, init_seed=0, theta=None, **given):
    shape = {"n_features": 7, "n_outputs": 3, "hidden_layer_sizes": (9, 9, 5)}
    return Network(MLPConfig(**(shape | given)), seed, init_seed=init_seed, theta=theta)


def moved(seed=1, **given):
    """A network whose low-rank paths are not at their start, where they do nothing."""
    network = make(seed, **given)
    jitter(network.theta)
    return network


X = normal(11, 7).astype(np.float32)


# The three parts ------------------------------------------------------------


def test_seed_theta_and_config_decide_the_outputs():
    network = moved()
    again = make(theta=network.theta)
    assert_array_equal(again.outputs(X), network.outputs(X))
    assert again.digests() == network.digests()


def test_theta_is_copied_in():
    theta = make().theta.copy()
    network = make(theta=theta)
    theta[:] = 0
    assert network.theta.any()


def test_init_seed_decides_the_adapter_and_seed_the_scaffold():
    network = make(1, init_seed=0)
    other_init, other_seed = make(1, init_seed=5), make(2, init_seed=0)
    assert other_init.digests() == network.digests()
    assert not np.array_equal(host(other_init.theta), host(network.theta))
    assert_array_equal(other_seed.theta, network.theta)
    assert not set(other_seed.digests().values()) & set(network.digests().values())


def test_start_values_are_those_of_the_config():
    parameters = make(beta=0.25, layer_norm=True, bias=True).named_parameters()
    for i in range(3):
        assert parameters[f"layers.{i}.A"].any()
        assert not parameters[f"layers.{i}.B"].any()
        assert not parameters[f"layers.{i}.bias"].any()
        assert parameters[f"layers.{i}.beta"] == 0.25
        assert (parameters[f"layers.{i}.norm.weight"] == 1).all()
        assert not parameters[f"layers.{i}.norm.bias"].any()
    assert make(b_init="kaiming").named_parameters()["layers.0.B"].any()


def test_the_scaffold_of_a_layer_does_not_depend_on_the_shapes_of_others():
    network = make(hidden_layer_sizes=(9, 9, 5))
    other = make(n_features=12, n_outputs=1, hidden_layer_sizes=(9, 9, 5, 4, 4))
    same = [network.scaffolds[f"layers.{i}"].digest() for i in (1, 2)]
    assert same == [other.scaffolds[f"layers.{i}"].digest() for i in (1, 2)]
    assert network.digests()["layers.0"] != other.digests()["layers.0"]


def test_layers_of_one_shape_have_scaffolds_of_their_own():
    network = make(n_features=9, hidden_layer_sizes=(9, 9))
    assert len(set(network.digests().values())) == 2


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_theta_of_another_length_is_refused(size):
    with pytest.raises(ValueError, match=r"must have shape \(\d+,\), the number of trained"):
        make(theta=np.zeros(size, np.float32))


@pytest.mark.parametrize("seed", [-1, 1.5, True, None, "0"])
def test_bad_seeds_are_refused_by_name(seed):
    with pytest.raises(ValueError, match="scaffold_seed must be a non-negative integer; got"):
        make(seed)
    with pytest.raises(ValueError, match="init_seed must be a non-negative integer; got"):
        make(init_seed=seed)
    with pytest.raises(ValueError, match="scaffold_seed must be a non-negative integer; got"):
        make().with_scaffold(seed)


# One adapter, several scaffolds ------------------------------------------------------------


def test_with_scaffold_shares_theta_and_grad_and_uses_other_weights():
    network = moved(1)
    other = network.with_scaffold(2)
    assert other.theta is network.theta
    assert other.grad is network.grad
    for path, view in other.named_parameters().items():
        assert xp.shares_memory(view, network.named_parameters()[path])
    assert_array_equal(other.outputs(X), make(2, theta=network.theta).outputs(X))
    assert not np.allclose(host(other.outputs(X)), host(network.outputs(X)))


def test_training_one_of_two_that_share_moves_the_other():
    network = moved(1)
    other = network.with_scaffold(2)
    before = other.outputs(X)
    network.theta += 0.1
    assert not np.allclose(host(other.outputs(X)), host(before))


def test_gradients_of_two_scaffolds_add_up_in_the_shared_vector():
    network = moved(1, dtype="float64")
    nets, x, dy = (network, network.with_scaffold(2)), normal(5, 7), normal(5, 3)
    parts = []
    for net in nets:
        net.grad[:] = 0
        net.backward(dy, net.forward(x, TRAINING)[1])
        parts.append(network.grad.copy())
    network.grad[:] = 0
    caches = [net.forward(x, TRAINING)[1] for net in nets]
    for net, cache in zip(nets, caches, strict=True):
        net.backward(dy, cache)
    assert_allclose(network.grad, sum(parts), rtol=1e-12)
    assert not np.allclose(*host(parts))


def test_with_the_same_scaffold_nothing_changes():
    network = moved(1)
    assert_array_equal(network.with_scaffold(1).outputs(X), network.outputs(X))


# Pickling ------------------------------------------------------------

PICKLED = [
    {},
    {"adapter": "dora", "dtype": "float64"},
    {"adapter": "full"},
    {"adapter": "none"},
    {"scaffold": "hadamard", "head": "lora"},
    {"scaffold": "binary", "storage": "packed"},
    {"scaffold": "orthogonal"},
    {"scaffold": "spectral_radius", "storage": "streamed"},
]


@pytest.mark.parametrize("given", PICKLED, ids=str)
def test_a_pickle_gives_the_same_outputs_bit_for_bit(given):
    network = moved(**given)
    read = pickle.loads(pickle.dumps(network))
    assert_array_equal(read.theta, network.theta)
    assert_array_equal(read.outputs(X), network.outputs(X))
    assert (read.config, read.seed, read.dtype) == (network.config, network.seed, network.dtype)


@pytest.mark.parametrize("rebuild", [lambda n: pickle.loads(pickle.dumps(n)), copy.deepcopy])
def test_a_rebuilt_network_has_views_on_its_own_vectors(rebuild):
    network = moved(dtype="float64")
    read = rebuild(network)
    assert not xp.shares_memory(read.theta, network.theta)
    assert all(xp.shares_memory(v, read.theta) for v in read.named_parameters().values())
    before = read.outputs(X)
    read.theta += 0.1
    assert not np.allclose(host(read.outputs(X)), host(before))
    read.backward(normal(5, 3), read.forward(normal(5, 7), TRAINING)[1])
    assert read.grad.any()
    assert not network.grad.any()


def test_a_pickle_holds_no_frozen_weight():
    network = make(hidden_layer_sizes=(600, 600))
    assert len(pickle.dumps(network)) < network.theta.nbytes + 2_000
    assert network.scaffolds["layers.1"].nbytes > 1_000_000


@pytest.mark.parametrize("path", ["layers.0", "layers.2"])
def test_a_tampered_digest_is_refused_with_the_layer_and_both_digests(path):
    network = make()
    state = network.__getstate__()
    state["digests"] = state["digests"] | {path: "0" * 64}
    with pytest.raises(ValueError, match=f"the scaffold of {path} cannot be rebuilt") as error:
        object.__new__(Network).__setstate__(state)
    assert "0" * 64 in str(error.value)
    assert network.digests()[path] in str(error.value)
    assert "LAPACK" not in str(error.value)


def test_a_tampered_seed_is_refused():
    state = make(1).__getstate__() | {"seed": 2}
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        object.__new__(Network).__setstate__(state)


def test_a_scaffold_made_by_linear_algebra_names_lapack_as_a_cause():
    state = make(scaffold="orthogonal").__getstate__()
    state["digests"] = state["digests"] | {"layers.1": "0" * 64}
    with pytest.raises(ValueError, match="LAPACK"):
        object.__new__(Network).__setstate__(state)


# Outputs ------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 5])
def test_outputs_in_chunks_are_those_of_one_pass(n):
    network = moved(dtype="float64")
    x = normal(n, 7)
    outputs = network.outputs(x)
    assert outputs.shape == (n, 3)
    assert_allclose(outputs, network.forward(x)[0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sparse_matrix_gives_the_outputs_of_the_dense_one(dtype):
    network = moved(dtype=dtype)
    dense = normal(CHUNK_ROWS + 30, 7) * (normal(CHUNK_ROWS + 30, 7, seed=1) > 0.5)
    sparse = scipy.sparse.csr_matrix(host(dense))
    assert_array_equal(network.outputs(sparse), network.outputs(dense))


@pytest.mark.parametrize("given", [{}, {"adapter": "dora"}, {"layer_norm": True}], ids=str)
def test_in_float64_a_row_does_not_show_which_rows_came_with_it(given):
    network = moved(**given)
    x = host(normal(CHUNK_ROWS + 100, 7)).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    outputs = host(network.outputs(x, dtype=np.float64))
    assert outputs.dtype == np.float64
    shuffled = network.outputs(x[order], dtype=np.float64)
    assert_allclose(shuffled, outputs[order], rtol=1e-12, atol=1e-12)
    alone = xp.concatenate([network.outputs(x[[i]], dtype=np.float64) for i in range(20)])
    assert_allclose(alone, outputs[:20], rtol=1e-12, atol=1e-12)


def test_outputs_take_the_type_of_the_network_unless_told_otherwise():
    network = moved()
    assert network.outputs(X.astype(np.float64)).dtype == np.float32
    wide = network.outputs(X, dtype=np.float64)
    assert_allclose(wide, network.outputs(X), rtol=1e-4, atol=1e-5)


def test_outputs_drop_nothing():
    network = moved(dropout=0.5, adapter_dropout=0.5)
    assert_array_equal(network.outputs(X), network.outputs(X))
    plain = make(theta=network.theta)
    assert_array_equal(network.outputs(X), plain.outputs(X))


@pytest.mark.parametrize(
    ("scaffold", "storages"),
    [("normal", ("dense", "packed", "streamed")), ("binary", ("dense", "packed", "streamed"))],
)
def test_the_storage_does_not_show_in_the_outputs(scaffold, storages):
    outputs = [moved(scaffold=scaffold, storage=s, dtype="float64").outputs(X) for s in storages]
    assert_allclose(outputs[1], outputs[0], rtol=1e-12, atol=1e-12)
    assert_allclose(outputs[2], outputs[0], rtol=1e-12, atol=1e-12)


# What it is ------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "trained", "scaffold"),
    [
        ({"rank": 2}, 2 * (16 + 18 + 14) + 3 + 18, 63 + 81 + 45),
        ({"adapter": "none"}, 18, 63 + 81 + 45),
        ({"adapter": "full"}, 63 + 81 + 45 + 18, 0),
        ({"adapter": "full", "head": "lora", "rank": 2}, 63 + 81 + 45 + 16 + 1, 15),
        ({"rank": 2, "head": "lora"}, 2 * (16 + 18 + 14 + 8) + 4, 63 + 81 + 45 + 15),
    ],
    ids=str,
)
def test_trained_and_frozen_weights_are_counted(given, trained, scaffold):
    network = make(**given)
    assert (network.n_trained, network.n_scaffold) == (trained, scaffold)
    assert network.theta.shape == network.grad.shape == (trained,)


@pytest.mark.parametrize("scaffold", ["normal", "spectral_radius"])
def test_a_scaffold_that_is_only_a_start_is_not_kept_in_memory(scaffold):
    full, lora = (make(adapter=adapter, scaffold=scaffold) for adapter in ("full", "lora"))
    assert sum(kept.nbytes for kept in full.scaffolds.values()) == 0
    for path, kept in lora.scaffolds.items():
        weight = full.named_parameters()[f"{path}.weight"]
        assert_array_equal(weight, kept.dense())


def test_betas_are_the_trained_values_by_path():
    network = make(beta=0.5, head="lora")
    network.named_parameters()["layers.1.beta"][:] = -2
    assert network.betas() == {"layers.0": 0.5, "layers.1": -2.0, "layers.2": 0.5, "head": 0.5}


@pytest.mark.parametrize(
    ("given", "betas"),
    [
        ({"beta": "fixed"}, {f"layers.{i}": 1.0 for i in range(3)}),
        ({"adapter": "none", "beta": 0.5}, {f"layers.{i}": 0.5 for i in range(3)}),
        ({"adapter": "full"}, {}),
    ],
    ids=str,
)
def test_betas_that_are_not_trained_are_their_fixed_value(given, betas):
    assert make(**given).betas() == betas


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "layers.0"),
        ({"adapter": "none"}, "layers.0"),
        ({"residual": True, "n_features": 9}, "layers.0"),
        ({"hidden_layer_sizes": (), "head": "lora"}, None),  # of the body alone
        ({"hidden_layer_sizes": ()}, None),
        ({"adapter": "full"}, None),
    ],
    ids=str,
)
def test_products_are_those_of_the_layer_that_reads_the_input_and_stays_frozen(given, path):
    network = make(**given)
    inputs = Table(normal(11, network.config.n_features), np.float32, device)
    products = network.frozen_products(inputs)
    assert list(products) == ([] if path is None else [path])
    assert network.product_bytes(inputs) == sum(product.nbytes for product in products.values())
    for product in products.values():
        x = inputs.take(xp.arange(11)).x
        assert_allclose(product, network.scaffolds[path].matmul(x), rtol=1e-5, atol=1e-6)


def test_a_network_begins_with_a_gradient_of_zero():
    assert not make().grad.any()
    assert not moved().with_scaffold(3).grad.any()
