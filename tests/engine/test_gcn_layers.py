"""The layers of graph convolutions: gradients, PyTorch, and dense formulas."""

import numpy as np
import pytest
import scipy.sparse
from gradcheck import TRAINING, bind, check_gradients, normal
from graph_tools import Beside, ring_with_a_lone_node
from numpy.testing import assert_allclose, assert_array_equal

from deepreservoir import Nodes, Sequential
from deepreservoir.inputs.nodes import NodeInputs, normalised_adjacency
from deepreservoir.layers import (
    AdaptedDense,
    Adapter,
    Aggregate,
    BatchNorm,
    NodeDense,
    Pass,
    Recompute,
    Step,
)
from deepreservoir.models import GCNConfig

pytestmark = pytest.mark.host(reason="sparse matrices of cupyx are not part of the stand-in")


# Batch normalisation ------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 4), (3, 5, 4), (1, 4), (2, 4)])
def test_batch_norm_gradients(shape):
    check_gradients(bind(BatchNorm("n", 4)), normal(*shape))


def test_batch_norm_against_pytorch():
    torch = pytest.importorskip("torch")
    x, dy = np.array(normal(9, 5)), np.array(normal(9, 5, seed=1))
    bound = bind(BatchNorm("n", 5))
    module = torch.nn.BatchNorm1d(5, dtype=torch.float64)
    views = bound.params.views(bound.theta)
    with torch.no_grad():
        module.weight[:] = torch.tensor(views["n.weight"].copy())
        module.bias[:] = torch.tensor(views["n.bias"].copy())
    leaf = torch.tensor(x, requires_grad=True)
    for _ in range(2):
        bound.grad[:] = 0
        y, cache = bound.layer.forward(x, TRAINING)
        dx = bound.layer.backward(dy, cache)
        leaf.grad = module.weight.grad = None
        expected = module(leaf)
        expected.backward(torch.tensor(dy))
    assert_allclose(y, expected.detach().numpy(), rtol=1e-11, atol=1e-12)
    assert_allclose(dx, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)
    grads = bound.params.views(bound.grad)
    assert_allclose(grads["n.weight"], module.weight.grad.numpy(), rtol=1e-11)
    assert_allclose(bound.layer.running_mean, module.running_mean.numpy(), rtol=1e-11)
    assert_allclose(bound.layer.running_var, module.running_var.numpy(), rtol=1e-11)
    module.eval()
    inference = bound.layer.forward(x)[0]
    assert_allclose(inference, module(leaf).detach().numpy(), rtol=1e-11, atol=1e-12)


def test_batch_norm_of_nothing_and_in_a_replay():
    bound = bind(BatchNorm("n", 3))
    before = bound.layer.running_mean.copy()
    y, cache = bound.layer.forward(np.zeros((0, 3)), TRAINING)
    assert y.shape == bound.layer.backward(y, cache).shape == (0, 3)
    bound.layer.forward(np.array(normal(4, 3)), Pass(Step(0, 0), replay=True))
    assert_array_equal(bound.layer.running_mean, before)
    layer = bind(BatchNorm("n", 3))
    wrapped = Recompute(layer.layer)
    x = np.array(normal(4, 3)) + 1
    y, cache = wrapped.forward(x, TRAINING)
    wrapped.backward(y, cache)
    assert_allclose(layer.layer.running_mean, 0.1 * x.mean(axis=0))


# Sums over neighbours ------------------------------------------------------------


def test_normalised_adjacency_against_its_definition():
    A = ring_with_a_lone_node(6).tolil()
    A[0, 3] = A[3, 0] = 2.5
    A = A.tocsr()
    loops = A.toarray() + np.eye(6)
    d = loops.sum(axis=1)
    S = normalised_adjacency(A).toarray()
    assert_allclose(S, loops / np.sqrt(np.outer(d, d)))
    assert S[5, 5] == 1  # a node without neighbours keeps its own features


def test_aggregate_gradients_of_a_matrix_that_is_not_square():
    S = scipy.sparse.random(4, 6, 0.5, random_state=0, format="csr")
    layer = Beside(
        Sequential([Aggregate("rows"), AdaptedDense("d", 3, 2, Adapter(rank=2))]), rows=S
    )
    check_gradients(bind(layer), normal(6, 3))


@pytest.mark.parametrize("mode", ["lora", "dora", "full", "none"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("storage", ["dense", "streamed"])
def test_csr_features_have_the_gradients_of_dense_ones(mode, dropout, storage):
    adapter = Adapter(mode, rank=3, scaling=1.7, beta=0.7, b_init="kaiming", dropout=dropout)
    sparse = scipy.sparse.random(9, 6, 0.4, random_state=1, format="csr")
    found = []
    for x in (sparse, sparse.toarray()):
        bound = bind(
            NodeDense("layers.0", 6, 5, adapter, bias=True, needs_dx=False), storage=storage
        )
        on = Pass(Step(5, 2), products=bound.layer.frozen(x))
        for each in (on, TRAINING):  # with the frozen product, and without
            y, cache = bound.layer.forward(x, each)
            assert bound.layer.backward(np.array(normal(9, 5, seed=3)), cache) is None
        found.append((y, bound.grad.copy(), bound.layer.forward(x)[0]))
    for of_sparse, of_dense in zip(*found, strict=True):
        assert_allclose(of_sparse, of_dense, rtol=1e-11, atol=1e-12)
    check_gradients(bound, sparse.toarray(), needs_dx=False)


# The whole network ------------------------------------------------------------


def batch_of(n=8, d=5, selected=(0, 2, 7)):
    features = np.array(normal(n, d))
    nodes = Nodes(features, ring_with_a_lone_node(n), np.array(selected))
    return NodeInputs(nodes, np.float64), features


@pytest.mark.parametrize("mode", ["lora", "dora", "full", "none"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_gcn_gradients(mode, batch_norm):
    inputs, _ = batch_of()
    batch = inputs.take(np.arange(3))
    config = GCNConfig(
        5, 3, (6, 4), batch_norm, 0.3, adapter=mode, rank=2, b_init="kaiming", dtype="float64"
    )
    layer = Beside(Sequential(config.build()), **batch.side)
    check_gradients(bind(layer), batch.x, needs_dx=False)


def test_gcn_gradients_of_a_graph_of_one_node():
    nodes = Nodes(np.array(normal(1, 4)), np.zeros((1, 1)))
    batch = NodeInputs(nodes, np.float64).take(np.array([0]))
    config = GCNConfig(4, 2, (3,), rank=1, b_init="kaiming", batch_norm=False, dtype="float64")
    check_gradients(bind(Beside(Sequential(config.build()), **batch.side)), batch.x, needs_dx=False)


def test_gcn_against_pytorch():
    torch = pytest.importorskip("torch")
    inputs, features = batch_of()
    batch = inputs.take(np.arange(3))
    config = GCNConfig(5, 3, (6, 4), True, 0.0, True, adapter="full", dtype="float64")
    bound = bind(Beside(Sequential(config.build()), **batch.side))
    leaves = {
        path: torch.tensor(np.array(view), requires_grad=True)
        for path, view in bound.params.views(bound.theta).items()
    }
    S = torch.tensor(normalised_adjacency(ring_with_a_lone_node(8)).toarray())
    h = torch.tensor(features)
    for i in (0, 1):
        h = S @ (h @ leaves[f"layers.{i}.weight"].T) + leaves[f"layers.{i}.bias"]
        norm = [leaves[f"layers.{i}.norm.{name}"] for name in ("weight", "bias")]
        h = torch.relu(torch.nn.functional.batch_norm(h, None, None, *norm, training=True))
    out = (S @ (h @ leaves["head.weight"].T) + leaves["head.bias"])[[0, 2, 7]]
    y, cache = bound.layer.forward(batch.x, TRAINING)
    assert_allclose(y, out.detach().numpy(), rtol=1e-10, atol=1e-12)
    dy = np.array(normal(*y.shape, seed=1))
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    out.backward(torch.tensor(dy))
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaves[path].grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=path)


# Counts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "trained"), [(1, 2219), (2, 3411), (4, 5795), (8, 10563), (16, 20099), (32, 39171)]
)
def test_the_paper_counts_of_arxiv(rank, trained):
    config = GCNConfig(128, 40, (256, 256), rank=rank)
    assert config.n_params == trained == 1027 + 1192 * rank
    assert config.fully_trained().n_params == 110_120


def test_equal_bytes_is_the_widest_of_its_depth():
    config = GCNConfig(128, 40, (256, 256), rank=8)
    found = config.resized(config.n_params)
    assert len(found.hidden_layer_sizes) == 2
    assert found.n_params <= config.n_params
    wider = GCNConfig(128, 40, (found.hidden_layer_sizes[0] + 1,) * 2, bias=True, adapter="full")
    assert wider.n_params > config.n_params
    assert config.resized(10) is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("hidden_layer_sizes", (), "at least one width"),
        ("hidden_layer_sizes", (4, 0), r"hidden_layer_sizes\[1\]"),
        ("dropout", 1.0, "dropout"),
        ("batch_norm", "yes", "batch_norm"),
    ],
)
def test_a_wrong_field_is_named(field, value, words):
    with pytest.raises(ValueError, match=words):
        GCNConfig(4, 3, **{field: value})
