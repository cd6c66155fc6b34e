"""Architectures by name, and configurations whose layers do not go together."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from target import assert_array_equal, host
from toy_architecture import ToyStatistics
from training_tools import LOSS, X, Y, data, plan, table, trained

from deepreservoir.estimators import ESTIMATORS, register_estimator
from deepreservoir.inputs import Batch, Table
from deepreservoir.layers import Activation, AdaptedDense, Adapter, Dense, Layer, Sequential
from deepreservoir.models import ARCHITECTURES, MLPConfig, NetworkConfig, architecture, from_plain
from deepreservoir.network import Network
from deepreservoir.params import Slot
from deepreservoir.training import TrainingSet, train

PLAIN = MLPConfig(n_features=6, n_outputs=3).to_plain()


# By name ------------------------------------------------------------


def test_plain_data_gives_the_registered_configuration():
    toy = ToyStatistics(n_features=6, n_outputs=3, width=5, rank=2)
    assert toy.to_plain()["architecture"] == ToyStatistics.name == "toy_statistics"
    assert from_plain(toy.to_plain()) == toy
    assert type(from_plain(PLAIN)) is MLPConfig


def test_plain_data_without_an_architecture_is_of_the_first_one():
    assert from_plain({k: v for k, v in PLAIN.items() if k != "architecture"}) == from_plain(PLAIN)


@pytest.mark.parametrize("name", ["transformer", "MLP", "", ["mlp"], None, 3])
def test_an_architecture_that_is_not_registered_is_refused_and_how_to_register_it_said(name):
    with pytest.raises(ValueError, match="is not registered; the registered ones are") as error:
        from_plain(PLAIN | {"architecture": name})
    assert f"the architecture {name!r} " in str(error.value)
    assert ", ".join(sorted(ARCHITECTURES)) in str(error.value)
    assert f"with @architecture({name!r}) on its configuration" in str(error.value)


def test_another_class_cannot_take_a_name_that_is_taken():
    message = r"'mlp' is already registered, by deepreservoir.models.mlp.MLPConfig; give .*Other"
    with pytest.raises(ValueError, match=message):

        @architecture("mlp")
        class Other(NetworkConfig):
            pass

    assert ARCHITECTURES["mlp"] is MLPConfig


@pytest.mark.parametrize("register", [architecture("toy_statistics"), register_estimator])
def test_a_class_of_another_module_does_not_replace_one_of_its_name(register, monkeypatch):
    name = "ToyStatisticsClassifier" if register is register_estimator else "ToyStatistics"
    estimators, architectures = dict(ESTIMATORS), dict(ARCHITECTURES)
    with pytest.raises(ValueError, match=f"is already registered, by toy_architecture.{name}; gi"):
        register(type(name, (), {"__qualname__": name, "__module__": "elsewhere"}))
    assert estimators == ESTIMATORS
    assert architectures == ARCHITECTURES


def test_a_module_that_is_run_again_registers_its_classes_anew(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "toy_statistics", ToyStatistics)
    for module in ("toy_architecture", "__main__", "toy_architecture"):
        names = {"__qualname__": "ToyStatistics", "__module__": module}
        again = type("ToyStatistics", (ToyStatistics,), names)
        assert architecture("toy_statistics")(again) is ARCHITECTURES["toy_statistics"] is again


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"depth": 3},
            "the architecture 'mlp' has no field 'depth'; the file was written by a later vers",
        ),
        ({"rank": 0}, "rank must be an integer of at least 1"),
        ({"hidden_layer_sizes": 3}, "hidden_layer_sizes must be a list; got 3"),
    ],
)
def test_fields_that_cannot_be_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        from_plain(PLAIN | change)


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "architecture"])
def test_every_field_that_is_missing_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"the field '{name}' of the architecture 'mlp' is miss"):
        from_plain({k: v for k, v in PLAIN.items() if k != name})


# Layers that do not go together ------------------------------------------------------------


@dataclass(frozen=True)
class Layers(NetworkConfig):
    """A network of the layers that a test asks for; it is not registered."""

    made: ClassVar = None  # () -> (body, head)
    n_features: int = 6
    n_outputs: int = 3

    @property
    def sample_shape(self):
        return (self.n_features,)

    def build(self):
        return type(self).made()


@pytest.fixture
def network_of(monkeypatch):
    def make(*body, head=None):
        monkeypatch.setattr(Layers, "made", lambda: (Sequential(body), head or Dense("head", 6, 3)))
        return Network(Layers(), seed=3)

    return make


def adapted(path, mode="lora"):
    return AdaptedDense(path, 6, 6, Adapter(mode, rank=2))


class Holding(Layer):
    """A layer with one array."""

    def __init__(self, path, group):
        super().__init__(path)
        self.group = group

    def own_slots(self):
        return [Slot(f"{self.path}.mean", (6,), self.group, init=0.0)]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [adapted("layers.0"), adapted("layers.0")],
            "every parameter needs a path of its own; used more than once: 'layers.0.A', "
            "'layers.0.B', 'layers.0.beta'. Give each layer its own path",
        ),
        (
            [adapted("layers.0", "none"), adapted("layers.0", "none")],
            "every scaffold needs a path of its own; used more than once: 'layers.0'. Give each",
        ),
        ([adapted("layers.0"), Dense("head", 6, 6)], "more than once: 'head.bias', 'head.weight'"),
        ([Holding("x", "buffer"), Holding("x", "buffer")], "used more than once: 'x.mean'"),
        ([Holding("x", "buffer"), Holding("x", "norm")], "used more than once: 'x.mean'"),
    ],
    ids=["adapters", "scaffolds", "head", "buffers", "buffer and parameter"],
)
def test_layers_that_ask_for_one_path_are_refused(network_of, layers, message):
    with pytest.raises(ValueError, match=message):
        network_of(*layers)


# Side arrays ------------------------------------------------------------


class Masked(Layer):
    """Rows, some of them put to zero by a side array of the batch."""

    reads = ("mask",)

    def forward(self, x, on):
        mask = on.side["mask"][:, None]
        return x * mask, mask

    def backward(self, dy, cache):
        return dy * cache


class Giving(Layer):
    """A layer that has a mask for the layers inside it."""

    gives = ("mask",)

    def __init__(self, layer):
        super().__init__("giving")
        self.layer = layer

    @property
    def children(self):
        return (self.layer,)

    def forward(self, x, on):
        return self.layer.forward(x, on.within(mask=(x[:, 0] > 0).astype(x.dtype)))

    def backward(self, dy, cache):
        return self.layer.backward(dy, cache)


class MaskedTable(Table):
    """A table whose batches have a mask."""

    side_names = ("times", "mask")

    def take(self, index, step=None):
        x = super().take(index, step).x
        return Batch(x, {"mask": (x[:, 0] > 0).astype(x.dtype)})

    def chunks(self, nbytes, sample_bytes):
        for index, batch in super().chunks(nbytes, sample_bytes):
            mask = (batch.x[:, 0] > 0).astype(batch.x.dtype)
            yield index, Batch(batch.x, {"mask": mask})


def test_a_side_array_that_inputs_do_not_give_is_refused_before_training(network_of):
    net = network_of(adapted("layers.0"), Masked("attention"))
    start = host(net.theta.copy())
    message = r"layer 'attention' \(Masked\) reads the side array 'mask'; Table provides none"
    with pytest.raises(ValueError, match=message):
        trained(net)
    assert_array_equal(net.theta, start)
    with pytest.raises(ValueError, match=message):
        net.check_inputs(table())


def test_inputs_that_give_other_side_arrays_are_named_with_them(network_of):
    class Timed(Table):
        side_names = ("times",)

    net = network_of(Masked("attention"))
    with pytest.raises(ValueError, match="reads the side array 'mask'; Timed provides 'times'"):
        net.check_inputs(Timed(X, X.dtype, net.device))


def test_a_layer_may_read_what_the_one_around_it_gives(network_of):
    net = network_of(adapted("layers.0"), Giving(Masked("attention")))
    net.check_inputs(table())
    trained(net)
    net = network_of(Giving(Activation("relu")), Masked("attention"))  # beside it, not inside
    with pytest.raises(ValueError, match="layer 'attention'"):
        net.check_inputs(table())


def test_side_arrays_reach_the_layers_in_training_and_after(network_of):
    net = network_of(Masked("attention"), adapted("layers.0"))
    inputs = MaskedTable(X, X.dtype, net.device)
    train(net, TrainingSet(inputs, data().y), LOSS, plan())
    outputs, rows = host(net.outputs(inputs)), X[:, 0] > 0
    silent = host(net.outputs(MaskedTable(0 * X, X.dtype, net.device)))
    assert_array_equal(outputs[~rows], silent[~rows])
    assert (outputs[rows] != silent[rows]).any(axis=1).all()
    assert len(outputs) == len(Y)
