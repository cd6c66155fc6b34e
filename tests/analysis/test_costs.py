"""Costs: the paper's formulas and figures, work against products that are watched, bytes against
the arrays and files themselves."""

import json
import math
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import (
    ArtifactError,
    DeepReservoirClassifier,
    MLPConfig,
    Network,
    kernels,
    save,
)
from deepreservoir.analysis import (
    cost_of,
    multiply_adds,
    paper_cost,
    paper_distributable,
    paper_memory,
    paper_training_flops,
)
from deepreservoir.inputs import CHUNK_ROWS, Batch, Table
from deepreservoir.layers import Dense, Layer, Pass, Step, convolution
from deepreservoir.models import DecoderConfig, PlainCNNConfig, ViTConfig

# The paper's formulas -----------------------------------------------------------------------

counts = st.integers(1, 10**12)


@given(counts, counts, counts)
def test_formulas_as_the_paper_writes_them(samples, trained, frozen):
    n = trained + frozen
    assert paper_training_flops(samples, trained, frozen) == samples * (4 * frozen + 6 * trained)
    assert paper_training_flops(samples, n) == 6 * samples * n
    assert paper_memory(trained, frozen) == 2 * n + 14 * trained
    assert paper_memory(n) == 16 * n
    # Their limits, as trained parameters vanish: two thirds, and an eighth.
    assert paper_training_flops(1, trained, frozen) / (6 * n) > 2 / 3
    assert paper_training_flops(1, 1, 10**12) / (6 * 10**12) == pytest.approx(2 / 3)
    assert paper_memory(1, 10**12) / (16 * 10**12) == pytest.approx(1 / 8)


def test_the_papers_language_model_of_900_million():
    # 34 layers of width 1664, MLP of 4608, 32,000 tied embeddings; r = 8 on four projections.
    width, mlp, layers, rank = 1664, 4608, 34, 8
    norms, embeddings = (2 * layers + 1) * width, 32_000 * width
    frozen = layers * (4 * width**2 + 3 * width * mlp)
    trained = embeddings + norms + layers * 4 * (rank * 2 * width + 1)
    cost = paper_cost(1, trained, frozen, frozen + embeddings + norms)
    assert round(cost.dense_fp16 / 2**20) == pytest.approx(2312, abs=1)  # the paper's MB
    assert round(cost.distributable / 2**20) == pytest.approx(109, abs=1)
    assert cost.dense_4bit * 4 == cost.dense_fp16


def test_distributable_size_has_a_seed_where_anything_follows_from_one():
    assert paper_distributable(100) == 208
    assert paper_distributable(100, seeded=False) == 200
    assert paper_cost(1, 7, 0, 7).distributable == 14
    assert paper_cost(1, 7, 1, 7).dense_4bit == 4  # 3.5 bytes take 4


# Work ---------------------------------------------------------------------------------------


class Watched(np.ndarray):
    """An array that counts the multiply-adds of every matrix product it takes part in."""

    total = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        plain = [a.view(np.ndarray) if isinstance(a, Watched) else a for a in inputs]
        if out:
            options["out"] = tuple(a.view(np.ndarray) for a in out)
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Watched.total += np.size(result) * plain[0].shape[-1]
        return out[0] if out else result.view(Watched) if np.ndim(result) else result


def watched(network):
    """Return a network of which no matrix product goes unseen."""
    network._bind(network.theta.view(Watched), network.grad.view(Watched))
    for scaffold in network.scaffolds.values():
        for name, value in vars(scaffold).items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                setattr(scaffold, name, value.view(Watched))
    return network


def work(call):
    Watched.total = 0
    result = call()
    return Watched.total, result


def network(**given):
    shape = {"n_features": 12, "n_outputs": 7, "hidden_layer_sizes": (20, 20, 9), "rank": 3}
    return Network(MLPConfig(**(shape | given)), seed=1)


CONFIGS = [
    {},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (), "head": "lora"},
    {"head": "lora+bias", "bias": True},
    {"adapter": "dora"},
    {"adapter": "dora", "scaffold": "hadamard", "head": "lora"},
    {"adapter": "dora", "scaffold": "kronecker", "layer_norm": True},
    {"adapter": "none"},
    {"adapter": "full", "bias": True},
    {"adapter": "full", "head": "lora"},
    {"adapter": "full", "scaffold": "kronecker"},
    {"residual": True, "layer_norm": True, "dropout": 0.2, "adapter_dropout": 0.2},
    {"residual": True, "hidden_layer_sizes": (12, 12)},
    {"beta": "fixed", "dtype": "float64"},
    {"scaffold": "hadamard"},
    {"scaffold": "hadamard", "hidden_layer_sizes": (70, 20, 9)},
    {"scaffold": "kronecker", "dtype": "float64"},
]


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_work_of_an_embedding_on_a_scaffold_and_of_its_output(adapter):
    config = DecoderConfig(11, 8, 1, 2, 6, 5, rank=2, embeddings="scaffold", adapter=adapter)
    net, on = watched(Network(config, 0)), Pass(Step(0, 0))
    codes = np.arange(15).reshape(3, 5) % 11
    hidden = np.ones((3, 5, 8), np.float32).view(Watched)
    for layer, x in ((net.body.children[0], codes), (net.head, hidden)):
        count = layer.multiply_adds(x.shape)
        forward, (y, cache) = work(partial(layer.forward, x, on))
        assert forward == count.forward + count.forward_call
        backward, _ = work(partial(layer.backward, np.ones_like(y).view(Watched), cache))
        assert backward == count.backward + count.backward_call
    assert forward >= 15 * 11 * 8


@pytest.mark.parametrize("given", CONFIGS, ids=str)
def test_work_is_that_of_the_products_which_are_made(given):
    """Steps, projection and predictions of a real network, product by product."""
    rows, batch = 50, 20
    plain = network(**given)
    net = watched(network(**given))
    x = np.random.default_rng(0).normal(size=(rows, 12)).astype(net.dtype).view(Watched)

    projection, products = work(lambda: net.frozen_products(WatchedTable(x, net.dtype)))

    def step(part, products):
        own = {path: product[part] for path, product in products.items()}
        out, cache = net.forward(x[part], Pass(Step(0, 0), products=own))
        net.backward(np.ones_like(out).view(Watched), cache)

    def epoch(products):
        parts = [slice(0, 20), slice(20, 40), slice(40, 50)]
        return [work(partial(step, part, products))[0] for part in parts]

    kept, anew = (
        cost_of(plain, rows, epochs=3, batch_size=batch, projected=projected).counted
        for projected in (True, False)
    )
    assert kept.projection == projection
    for counted, steps in ((kept, epoch(products)), (anew, epoch({}))):
        assert counted.step == steps[0]
        assert counted.training == 3 * sum(steps) + counted.projection
        assert counted.prediction == work(lambda: net.outputs(x))[0]
    assert anew.projection == 0


class WatchedTable(Table):
    """Rows that stay watched."""

    def __init__(self, x, dtype):
        super().__init__(x, dtype)
        self.x = x

    def chunks(self, nbytes, sample_bytes):
        yield slice(None), Batch(self.x)


def test_the_watch_sees_what_a_product_costs():
    total, _ = work(lambda: np.ones((2, 3)).view(Watched) @ np.ones((3, 5)))
    assert total == 30
    total, _ = work(lambda: np.ones((4, 5)) @ np.ones((7, 5, 2)).view(Watched))
    assert total == 7 * 4 * 5 * 2


def test_work_of_a_small_network_by_hand():
    # 12 -> 20 -> 9 -> 7 with rank 3.
    net = network(hidden_layer_sizes=(20, 9))
    cost = cost_of(net, rows=100, epochs=2, batch_size=10)
    first = 3 * (12 + 20) + 3 * (20 + 12 + 20)  # z, z B^T; u, dA, dB; W x is kept, no dx
    second = 20 * 9 * 2 + 3 * (20 + 9) + 3 * (9 + 20 + 9 + 20)  # two products with W
    head = 3 * 9 * 7
    assert cost.counted.step == 10 * (first + second + head)
    assert cost.counted.projection == 100 * 12 * 20
    assert cost.counted.training == 200 * (first + second + head) + 100 * 12 * 20
    assert cost.counted.full_step == 10 * (2 * 12 * 20 + 3 * 20 * 9 + head)
    assert cost.counted.full_prediction == 100 * (12 * 20 + 20 * 9 + 9 * 7)
    assert cost.counted.prediction == 100 * (12 * 20 + 20 * 9 + 9 * 7 + 3 * (32 + 29))


@pytest.mark.parametrize("pooling", ["token", "mean"])
@pytest.mark.parametrize("options", [{}, {"adapter": "full"}, {"layer_norm": True}])
def test_work_of_a_vision_transformer(pooling, options):
    config = ViTConfig((8, 12, 2), 3, 4, 8, 2, 2, 2, rank=2, pooling=pooling, **options)
    net = watched(Network(config, seed=1))
    x = np.ones((5, 8, 12, 2), np.float32)
    count = multiply_adds(net.root, x.shape)

    def step():
        y, cache = net.forward(x, Pass(Step(0, 0)))
        net.backward(np.ones_like(y), cache)

    assert work(lambda: net.forward(x))[0] == count.forward
    assert work(step)[0] == count.forward + count.backward


@pytest.mark.parametrize("narrow", [64, 0], ids=["combined", "in parts"])
@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_work_of_convolutions(adapter, narrow, monkeypatch):
    patches = kernels.patches
    monkeypatch.setattr(convolution, "NARROW", narrow)
    monkeypatch.setattr(
        kernels, "patches", lambda *given, **options: patches(*given, **options).view(Watched)
    )
    config = PlainCNNConfig((8, 6, 2), 3, depth=8, width=3, rank=2, adapter=adapter)
    net = watched(Network(config, seed=1))
    shape = (2, 8, 6, 2)
    for layer in net.body.layers[0].convolutions:
        count = layer.multiply_adds(shape)
        x = np.ones(shape, np.float32).view(Watched)
        forward, (y, cache) = work(partial(layer.forward, x, Pass(Step(0, 0))))
        backward, _ = work(partial(layer.backward, np.ones_like(y).view(Watched), cache))
        assert forward == count.forward + count.forward_call
        assert backward == count.backward + count.backward_call
        shape = y.shape


def test_the_product_is_not_kept_for_one_epoch_or_on_request():
    net = network()
    kept = cost_of(net, 100, 2)
    for other in (cost_of(net, 100, 1), cost_of(net, 100, 2, projected=False)):
        assert other.counted.projection == other.held.projection == 0
        assert other.counted.step - kept.counted.step == 100 * 12 * 20
    assert (
        cost_of(net, 100, 1).counted.training
        == cost_of(net, 100, 1, projected=False).counted.training
    )


@pytest.mark.parametrize("storage", ["packed", "streamed"])
def test_storage_changes_bytes_and_not_the_work(storage):
    dense, other = (cost_of(network(storage=s), 100, 3) for s in ("dense", storage))
    assert other.counted == dense.counted
    assert other.held.scaffold < dense.held.scaffold


def test_structured_scaffolds_cost_less_than_their_weights():
    shape = {"n_features": 1024, "hidden_layer_sizes": (1024, 1024), "rank": 2}
    dense, hadamard, kronecker = (
        cost_of(network(scaffold=s, storage=k, **shape), 100, 3)
        for s, k in (("normal", "streamed"), ("hadamard", "auto"), ("kronecker", "auto"))
    )
    assert hadamard.counted.step < dense.counted.step / 5
    assert kronecker.counted.step < dense.counted.step / 5
    assert hadamard.paper == dense.paper  # whose formulas take every frozen weight as a weight


def test_many_rows_are_predicted_in_chunks():
    net = network(adapter="dora")
    one, two = (cost_of(net, n, 2).counted.prediction for n in (CHUNK_ROWS, CHUNK_ROWS + 1))
    count = multiply_adds(net.root, (1, 12))
    assert count.forward_call > 0
    assert two - one == count.forward + count.forward_call


def test_an_unknown_layer_is_refused():
    class Attention(Dense):
        pass

    assert multiply_adds(Attention("a", 2, 3), (1, 2)).forward == 6  # what a Dense does

    class Other(Layer):
        pass

    with pytest.raises(TypeError, match="Other does not define multiply_adds"):
        multiply_adds(Other(), (1, 2))


# The twin -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", CONFIGS, ids=str)
def test_twin_is_the_fully_trained_network(given):
    net = network(**given)
    twin = net
    if net.n_scaffold:
        twin = Network(replace(net.config, adapter="full", head="full", bias=True), seed=1)
    mine, its = cost_of(net, 90, 4), cost_of(twin, 90, 4)
    assert mine.n_dense == its.n_trained == its.n_dense
    assert its.n_frozen == 0
    assert mine.counted.full_step == its.counted.step == its.counted.full_step
    assert mine.counted.full_training == its.counted.training
    assert mine.counted.full_prediction == its.counted.prediction
    assert mine.paper.full_training_flops == its.paper.training_flops
    assert mine.paper.full_memory == its.paper.memory
    assert mine.paper.dense_fp16 == its.paper.distributable  # no seed is needed


def test_numbers_are_those_of_the_papers_table():
    shape = {"n_features": 784, "n_outputs": 10, "hidden_layer_sizes": (512, 256, 128, 64)}
    for rank, trained in ((1, 3_294), (8, 21_774), (32, 85_134)):
        cost = cost_of(network(rank=rank, scaffold="hadamard", **shape), 54_000, 20)
        assert (cost.n_trained, cost.n_dense) == (trained, 575_050)


# Bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", CONFIGS, ids=str)
def test_bytes_are_those_of_the_arrays(given):
    net = network(**given)
    held = cost_of(net, 100, 3, moments=1).held
    assert held.theta == held.moments == net.theta.nbytes
    assert held.grad == net.grad.nbytes
    assert held.scaffold == sum(scaffold.nbytes for scaffold in net.scaffolds.values())
    products = net.frozen_products(Table(np.zeros((100, 12)), net.dtype))
    assert held.projection == sum(product.nbytes for product in products.values())
    assert held.network == held.theta + held.grad + held.scaffold
    assert held.training == held.network + held.moments + held.projection


def test_stored_bytes_are_a_seed_and_the_trained_parameters():
    assert cost_of(network(), 10, 1).stored == 8 + 4 * network().n_trained
    assert cost_of(network(dtype="float64"), 10, 1).stored == 8 + 8 * network().n_trained
    full = network(adapter="full")
    assert cost_of(full, 10, 1).stored == 4 * full.n_trained


def model(**params):
    settings = {"hidden_layer_sizes": (16, 8), "rank": 2, "max_iter": 2, "random_state": 0}
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6)).astype(np.float32)
    fitted = make_pipeline(StandardScaler(), DeepReservoirClassifier(**(settings | params)))
    return fitted.fit(X, np.arange(60) % 3)


def test_bytes_of_a_saved_file(tmp_path):
    fitted = model()
    path = save(fitted, tmp_path / "model.safetensors")
    cost = cost_of(fitted, 60, 2, file=path)
    assert cost.file == len(path.read_bytes()) > cost.stored
    short = save(fitted, tmp_path / "short.safetensors", dtype="float16")
    assert cost_of(fitted, 60, 2, file=str(short)).file < cost.file
    assert cost_of(fitted, 60, 2).file is None


def test_files_that_are_not_the_models_are_refused(tmp_path):
    fitted, other = model(), model(rank=3)
    path = save(other, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"'layers.0.A' of shape \(2, 6\); got \(3, 6\)"):
        cost_of(fitted, 60, 2, file=path)
    path = save(model(adapter="none"), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"of another model: .* got none"):
        cost_of(fitted, 60, 2, file=path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError):
        cost_of(fitted, 60, 2, file=path)
    with pytest.raises(FileNotFoundError):
        cost_of(fitted, 60, 2, file=tmp_path / "none.safetensors")


# What comes out, and what is refused --------------------------------------------------------


def test_costs_are_plain_numbers():
    cost = cost_of(network(), np.int64(10**6), np.int64(10**3))
    plain = json.loads(json.dumps(asdict(cost)))
    assert plain["counted"]["training"] == cost.counted.training
    assert plain["paper"]["training_flops"] == cost.paper.training_flops


@pytest.mark.parametrize(
    ("name", "value"),
    [("rows", 0), ("rows", 2.5), ("epochs", -1), ("epochs", None), ("batch_size", True),
     ("batch_size", "auto"), ("moments", -1), ("rows", math.inf)],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be an integer of at least [01]; got"):
        cost_of(network(), **({"rows": 10, "epochs": 2} | {name: value}))


def test_what_has_no_network_is_refused():
    with pytest.raises(TypeError, match="a fitted deep estimator"):
        cost_of(DeepReservoirClassifier(), 10, 2)
