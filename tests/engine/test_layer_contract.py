"""What a layer from outside the package may get wrong, and what it is told."""

import numpy as np
import pytest
from gradcheck import TRAINING, bind
from target import host, put
from toy_architecture import ToyStatisticsClassifier

from deepreservoir import (
    Dense,
    GINConfig,
    Layer,
    MLPConfig,
    MultiplyAdds,
    PlainCNNConfig,
    Sequential,
    Slot,
)
from deepreservoir.estimators import DeepReservoirClassifier
from deepreservoir.layers import INFERENCE, BatchNorm

X = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
Y = X[:, 0] > 0


class Halves(Layer):
    """The first half of the features: no arrays."""

    def forward(self, x, on=INFERENCE):
        return x[..., : x.shape[-1] // 2], x.shape if on.training else None

    def backward(self, dy, cache):
        dx = np.zeros(cache)
        dx[..., : dy.shape[-1]] = dy
        return dx


class Scale(Layer):
    """``y = scale x``."""

    def own_slots(self):
        return [Slot(f"{self.path}.scale", (1,), "scale", 1.0)]

    def forward(self, x, on=INFERENCE):
        return x * self.scale, x if on.training else None

    def backward(self, dy, cache):
        self.dscale += (dy * cache).sum()
        return dy * self.scale


class Assigns(Scale):
    def backward(self, dy, cache):
        self.dscale = (dy * cache).sum(keepdims=True)
        return dy * self.scale


class Hidden(Layer):
    """Uses a layer that it does not list."""

    def __init__(self, path):
        super().__init__(path)
        self.inner = Dense(f"{path}.inner", 3, 3)

    def forward(self, x, on=INFERENCE):
        return self.inner.forward(x, on)


class Listed(Hidden):
    def __init__(self, path):
        super().__init__(path)
        self.several = [self.inner]
        del self.inner


class Clashes(Hidden):
    @property
    def children(self):
        return (self.inner,)

    def own_slots(self):
        return [Slot(f"{self.path}.inner", (1,), "scale", 1.0)]


def test_layers_before_the_first_with_arrays_are_not_called_backward():
    first = Dense("a", 2, 3)
    first.backward = lambda dy, cache: None  # as one with needs_dx=False
    stack = Sequential([Halves(), first])
    bind(stack)
    y, cache = stack.forward(put(np.ones((5, 4))), TRAINING)
    assert stack.backward(y, cache) is None


def test_a_layer_that_cannot_be_trained_is_named():
    second = Dense("b", 3, 3)
    second.backward = lambda dy, cache: None
    stack = Sequential([Dense("a", 4, 3), second])
    bind(stack)
    y, cache = stack.forward(put(np.ones((5, 4))), TRAINING)
    with pytest.raises(ValueError, match=r"cannot be trained: a.weight, a.bias.*needs_dx=False"):
        stack.backward(y, cache)


@pytest.mark.parametrize("kind", [Hidden, Listed])
def test_a_layer_that_is_not_listed_is_named(kind):
    with pytest.raises(ValueError, match=r"'outer' uses the layer .*Dense 'outer.inner'.*children"):
        bind(kind("outer"))


def test_an_array_called_like_a_layer_or_a_method_is_refused():
    with pytest.raises(ValueError, match="Clashes has an attribute 'inner'"):
        bind(Clashes("outer"))


def test_slots_that_are_none_are_refused_with_the_name_of_the_class():
    class AsProperty(Scale):
        own_slots = property(Scale.own_slots)

    class OfNames(Scale):
        def own_slots(self):
            return [f"{self.path}.scale"]

    class OfNothing(Scale):
        def own_slots(self):
            self.slot = Slot(f"{self.path}.scale", (1,), "scale", 1.0)

    for kind, words in (
        (AsProperty, "AsProperty.own_slots must be a method .*; it is a list"),
        (
            OfNames,
            "OfNames.own_slots must be a method .* list of Slot; an entry of it is 'a.scale'",
        ),
        (OfNothing, "OfNothing.own_slots must be a method .*; it returns a NoneType"),
    ):
        with pytest.raises(TypeError, match=words):
            Sequential([kind("a")]).slots()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a.scale", (1,), "scales"), "the group of a.scale must be one of .*'scale'.*'scales'"),
        (("a.scale", (1,), "scale", np.ones(1)), "initial value of a.scale must be a finite"),
        (("a.scale", (1,), "scale", float("nan")), "initial value of a.scale must be a finite"),
    ],
)
def test_a_slot_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Slot(*given)


def test_a_count_that_is_not_one_is_refused():
    with pytest.raises(TypeError, match=r"multiply_adds of a layer must be MultiplyAdds.*got 0"):
        MultiplyAdds(1) + 0


def with_layer(kind):
    """Return an estimator whose network has a layer of a kind before its head."""

    class Config(MLPConfig):
        def build(self):
            body, head = super().build()
            return Sequential([body, kind("extra")]), head

    class Estimator(DeepReservoirClassifier):
        def network_config(self, n_features, n_outputs):
            config = super().network_config(n_features, n_outputs)
            values = {k: v for k, v in config.to_plain().items() if k != "architecture"}
            values["hidden_layer_sizes"] = tuple(values["hidden_layer_sizes"])
            return Config(**values)

    return Estimator((4,), rank=2, max_iter=2, batch_size=8, random_state=0)


def test_training_says_that_a_gradient_was_assigned():
    model = with_layer(Scale).fit(X, Y)
    assert host(model.network_.named_parameters()["extra.scale"])[0] != 1
    with pytest.raises(ValueError, match=r"Assigns .* self.dscale \(extra.scale\).*in place"):
        with_layer(Assigns).fit(X, Y)


def test_a_configuration_that_is_not_registered_has_no_file():
    model = with_layer(Scale).fit(X, Y)
    with pytest.raises(ValueError, match=r"Config is not registered.*@architecture"):
        model.network_.config.to_plain()
    model.set_params(warm_start=True, activation="tanh")
    with pytest.raises(ValueError, match="activation: 'silu' -> 'tanh'"):
        model.fit(X, Y)


def test_equal_samples_are_merged_unless_a_layer_reads_the_batch():
    assert MLPConfig(3, 2).may_merge_samples()
    assert not PlainCNNConfig((4, 4, 1), 2).may_merge_samples()
    assert not GINConfig(2, n_node_features=3).may_merge_samples()

    class Normalised(MLPConfig):
        def build(self):
            body, head = super().build()
            return Sequential([body, BatchNorm("norm", self.hidden_layer_sizes[-1])]), head

    assert not Normalised(3, 2).may_merge_samples()
    assert not ToyStatisticsClassifier().network_config(3, 2).may_merge_samples()
