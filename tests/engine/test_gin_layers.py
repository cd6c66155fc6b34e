"""The layers of graph isomorphism networks: gradients, PyTorch, dense formulas, counts."""

import numpy as np
import pytest
from gradcheck import TRAINING, bind, check_gradients, normal
from graph_tools import Beside
from numpy.testing import assert_allclose, assert_array_equal

from deepreservoir import Graph, Sequential
from deepreservoir.inputs import GraphInputs
from deepreservoir.kernels.sparse import row_maxima
from deepreservoir.layers import Adapter, CategoryEmbedding, GINConvolution, GraphPooling
from deepreservoir.models import GINConfig

pytestmark = pytest.mark.host(reason="sparse matrices of cupyx are not part of the stand-in")

ATOMS, BONDS = (119, 5, 12, 12, 10, 6, 6, 2, 2), (5, 6, 2)


def random_graph(n, seed=0, codes=False, edges=True):
    """Return a graph without edges to its last node, which stands alone."""
    rng = np.random.default_rng([seed, n])
    pairs = [(i, j) for i in range(n - 1) for j in range(i) if rng.random() < 0.6]
    ends = np.array(pairs, int).reshape(-1, 2).T
    x = rng.integers(0, (3, 2), (n, 2)) if codes else rng.standard_normal((n, 3))
    attr = (
        rng.integers(0, (2, 4), (len(pairs), 2)) if codes else rng.standard_normal((len(pairs), 2))
    )
    return Graph.undirected(x, ends, attr if edges else None)


def batch_of(sizes=(4, 0, 1, 5), **options):
    graphs = [random_graph(n, i, **options) for i, n in enumerate(sizes)]
    return graphs, GraphInputs(graphs, np.float64).take(np.arange(len(graphs)))


# Parts ------------------------------------------------------------


def test_embedding_gradients_and_rows():
    bound = bind(CategoryEmbedding("e", (3, 2), 4))
    codes = np.array([[0, 1], [2, 0], [2, 1]], np.int32)
    y, cache = bound.layer.forward(codes, TRAINING)
    table = bound.layer.table
    assert_allclose(y, table[[0, 2, 2]] + table[[4, 3, 4]])
    dy = np.array(normal(3, 4))
    bound.grad[:] = 0
    assert bound.layer.backward(dy, cache) is None
    expected = np.zeros_like(table)
    for row, (a, b) in zip(dy, codes, strict=True):
        expected[a] += row
        expected[3 + b] += row
    assert_allclose(bound.params.views(bound.grad)["e.table"], expected)
    assert bound.layer.forward(codes[:0])[0].shape == (0, 4)


@pytest.mark.parametrize("kind", ["mean", "sum", "max"])
def test_pooling_gradients_and_values(kind):
    graphs, batch = batch_of()
    check_gradients_of_x(GraphPooling(kind), batch, normal(10, 3))
    x = np.array(normal(10, 3))
    y = GraphPooling(kind).forward(x, TRAINING.within(**batch.side))[0]
    parts = np.split(x, np.cumsum([graph.n_nodes for graph in graphs])[:-1])
    expected = [getattr(part, kind)(axis=0) if len(part) else np.zeros(3) for part in parts]
    assert_allclose(y, expected)


def check_gradients_of_x(layer, batch, x):
    on = TRAINING.within(**batch.side)
    y, cache = layer.forward(x, on)
    dy = np.array(normal(*y.shape, seed=1))
    dx = layer.backward(dy, cache)
    move = np.array(normal(*x.shape, seed=2))
    ahead, behind = (layer.forward(x + h * move, on)[0] for h in (1e-6, -1e-6))
    assert_allclose(np.vdot(dx, move), np.vdot(dy, (ahead - behind) / 2e-6), rtol=1e-6)


def test_nodes_that_share_a_maximum_share_its_gradient():
    batch = batch_of((2,))[1]
    on = TRAINING.within(**batch.side)
    layer, x = GraphPooling("max"), np.array([[1.0, 2.0], [1.0, 0.0]])
    _, cache = layer.forward(x, on)
    assert_array_equal(layer.backward(np.array([[1.0, 1.0]]), cache), [[0.5, 1], [0.5, 0]])


def test_maxima_of_segments():
    x = np.array(normal(5, 2))
    assert_array_equal(row_maxima(x, np.array([0, 0, 5, 5])), [[0, 0], x.max(axis=0), [0, 0]])
    assert row_maxima(x[:0], np.array([0, 0])).tolist() == [[0, 0]]


@pytest.mark.parametrize("edges", [True, False])
@pytest.mark.parametrize("mode", ["lora", "dora", "full", "none"])
def test_convolution_gradients(mode, edges):
    _, batch = batch_of()
    adapter = Adapter(mode, 2, b_init="kaiming")
    layer = GINConvolution("layers.0", 3, adapter, adapter, mode == "full", edges)
    embedding = np.array(normal(len(batch.side["source"]), 3, seed=4))
    check_gradients(bind(Beside(layer, edge_embedding=embedding, **batch.side)), normal(10, 3))


def test_the_gradient_of_edge_embeddings():
    _, batch = batch_of()
    adapter = Adapter("full")
    layer = bind(GINConvolution("layers.0", 3, adapter, adapter, True, True)).layer
    h, e = np.array(normal(10, 3)), np.array(normal(len(batch.side["source"]), 3, seed=4))

    def forward(e):
        return layer.forward(h, TRAINING.within(edge_embedding=e, **batch.side))

    y, cache = forward(e)
    dy, move = np.array(normal(*y.shape, seed=1)), np.array(normal(*e.shape, seed=2))
    _, de = layer.backward_to_edges(dy, cache)
    change = (forward(e + 1e-6 * move)[0] - forward(e - 1e-6 * move)[0]) / 2e-6
    assert_allclose(np.vdot(de, move), np.vdot(dy, change), rtol=1e-6)


# The whole network ------------------------------------------------------------


@pytest.mark.parametrize("mode", ["lora", "full", "none"])
@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("sizes", [(4, 0, 1, 5), (1,), (0, 0), (3, 4)])
def test_gin_gradients(mode, pooling, sizes):
    _, batch = batch_of(sizes, codes=True)
    config = GINConfig(
        2,
        (3, 2),
        edge_categories=(2, 4),
        width=4,
        depth=3,
        dropout=0.3 if pooling == "max" else 0.0,
        pooling=pooling,
        adapter=mode,
        rank=2,
        b_init="kaiming",
        dtype="float64",
    )
    bound = bind(Beside(Sequential(config.build()), **batch.side))
    check_parameters(bound, batch.x)


def check_parameters(bound, x):
    """Compare the gradient of the parameters with differences, where x are codes."""
    y, cache = bound.layer.forward(x, TRAINING)
    dy = np.array(normal(*y.shape, seed=1))
    bound.grad[:] = 0
    assert bound.layer.backward(dy, cache) is None
    move, start = np.array(normal(*bound.theta.shape, seed=3)), bound.theta.copy()
    values = []
    for h in (1e-6, -1e-6):
        bound.theta[:] = start + h * move
        values.append(np.vdot(bound.layer.forward(x, TRAINING)[0], dy))
    bound.theta[:] = start
    expected = (values[0] - values[1]) / 2e-6
    assert_allclose(np.vdot(bound.grad, move), expected, rtol=2e-5, atol=1e-7)


def test_gin_of_numbers_without_features_of_edges():
    _, batch = batch_of(edges=False)
    assert batch.side["edge_attr"].shape[1] == 0
    config = GINConfig(1, n_node_features=3, width=4, dtype="float64", b_init="kaiming", rank=2)
    bound = bind(Beside(Sequential(config.build()), **batch.side))
    check_gradients(bound, batch.x, needs_dx=False)


def test_gin_against_pytorch():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    graphs, batch = batch_of(codes=True)
    config = GINConfig(
        2, (3, 2), edge_categories=(2, 4), width=4, depth=3, dropout=0.0, bias=True,
        adapter="full", dtype="float64",
    )  # fmt: skip
    bound = bind(Beside(Sequential(config.build()), **batch.side))
    leaf = {
        path: torch.tensor(np.array(view), requires_grad=True)
        for path, view in bound.params.views(bound.theta).items()
    }
    offset = np.cumsum([0, *(graph.n_nodes for graph in graphs)])
    codes = torch.tensor(np.concatenate([graph.x for graph in graphs]))
    source, target = (
        torch.tensor(np.concatenate([g.edges[i] + o for g, o in zip(graphs, offset, strict=False)]))
        for i in (0, 1)
    )
    bonds = torch.tensor(np.concatenate([graph.edge_attr for graph in graphs]))
    h = leaf["nodes.table"][codes[:, 0]] + leaf["nodes.table"][3 + codes[:, 1]]
    e = leaf["edges.table"][bonds[:, 0]] + leaf["edges.table"][2 + bonds[:, 1]]
    for i in range(3):
        p = f"layers.{i}"
        m = torch.zeros_like(h).index_add(0, target, torch.relu(h[source] + e))
        u = (1 + leaf[f"{p}.eps"]) * h + m
        u = torch.relu(F.linear(u, leaf[f"{p}.a.weight"], leaf[f"{p}.a.bias"]))
        z = F.linear(u, leaf[f"{p}.b.weight"], leaf[f"{p}.b.bias"])
        norm = [leaf[f"{p}.norm.{name}"] for name in ("weight", "bias")]
        z = F.batch_norm(z, None, None, *norm, training=True)
        z = z if i == 2 else torch.relu(z)
        h = z + h if i else z
    owner = torch.tensor(np.repeat(np.arange(4), [graph.n_nodes for graph in graphs]))
    counts = torch.tensor([[max(graph.n_nodes, 1)] for graph in graphs])
    pooled = torch.zeros(4, 4, dtype=torch.float64).index_add(0, owner, h) / counts
    out = F.linear(pooled, leaf["head.weight"], leaf["head.bias"])
    y, cache = bound.layer.forward(batch.x, TRAINING)
    assert_allclose(y, out.detach().numpy(), rtol=1e-10, atol=1e-12)
    dy = np.array(normal(*y.shape, seed=1))
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    out.backward(torch.tensor(dy))
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaf[path].grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=path)


# Batches ------------------------------------------------------------


def test_a_batch_is_the_union_of_its_graphs_in_any_order():
    graphs = [random_graph(n, i, codes=True) for i, n in enumerate((4, 0, 1, 5, 3))]
    inputs = GraphInputs(graphs, np.float32)
    chosen = np.array([3, 1, 0, 3])
    for batch in (inputs.take(chosen), inputs.subset(chosen).take(np.arange(4))):
        expected = [graphs[i] for i in chosen]
        assert_array_equal(batch.x, np.concatenate([graph.x for graph in expected]))
        offset = np.cumsum([0, *(graph.n_nodes for graph in expected)])
        edges = np.hstack([g.edges + o for g, o in zip(expected, offset, strict=False)])
        adjacency = np.zeros((offset[-1],) * 2)
        np.add.at(adjacency, (edges[1], edges[0]), 1)
        side = batch.side
        assert_array_equal(side["neighbours"].toarray(), adjacency)
        m = np.arange(len(side["source"]))[:, None] + 1.0
        incoming, outgoing = np.zeros((2, offset[-1], 1))
        np.add.at(incoming, side["target"], m)
        np.add.at(outgoing, side["source"], m)
        assert_array_equal(side["incoming"] @ m, incoming)
        assert_array_equal(side["outgoing"] @ m, outgoing)
        by_edge = {
            (int(s), int(t)): row.tolist()
            for s, t, row in zip(side["source"], side["target"], side["edge_attr"], strict=True)
        }
        attr = np.vstack([graph.edge_attr for graph in expected])
        for (s, t), row in zip(edges.T.tolist(), attr.tolist(), strict=True):
            assert by_edge[s, t] == row
        counts = side["graphs"] @ np.ones(offset[-1])
        assert counts.tolist() == [graph.n_nodes for graph in expected]


def test_chunks_cover_all_graphs_once():
    inputs = GraphInputs([random_graph(n % 6, n) for n in range(40)], np.float64)
    for nbytes in (1, 2_000, 10**9):
        slices = [index for index, _ in inputs.chunks(nbytes, 100)]
        assert [i for part in slices for i in range(part.start, part.stop)] == list(range(40))
    assert len(slices) == 1
    assert inputs.digest() == inputs.subset(np.arange(40)).digest()
    assert inputs.digest() != inputs.subset(np.arange(39)).digest()


# Counts ------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 4, 8, 16, 32])
def test_the_paper_counts_of_molhiv(rank):
    config = GINConfig(1, ATOMS, edge_categories=BONDS, width=300, depth=5, rank=rank)
    assert config.n_params == 59_416 + 9_000 * rank
    assert config.fully_trained().n_params == 1_863_906
    assert {8: 131_416, 16: 203_416, 32: 347_416}.get(rank, config.n_params) == config.n_params


def test_equal_bytes_is_the_widest_of_its_depth():
    config = GINConfig(1, ATOMS, edge_categories=BONDS, width=64, depth=3, rank=8)
    found = config.resized(config.n_params)
    assert (found.depth, found.adapter) == (3, "full")
    assert found.n_params <= config.n_params < GINConfig(
        1, ATOMS, edge_categories=BONDS, width=found.width + 1, bias=True, adapter="full"
    ).n_params  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 0}, "width"),
        ({"pooling": "median"}, "pooling"),
        ({"node_categories": (3, 0)}, r"node_categories\[1\]"),
        ({"n_node_features": 2}, "either categories or numbers"),
        ({"node_categories": ()}, "at least one feature"),
    ],
)
def test_a_wrong_field_is_named(fields, words):
    with pytest.raises(ValueError, match=words):
        GINConfig(**{"n_outputs": 1, "node_categories": (3,)} | fields)
