"""MLPConfig: the paper's parameter counts, what it refuses and in which words, plain data."""

import json

import numpy as np
import pytest
from target import xp

from deepreservoir.layers import (
    ActivatedDense,
    Activation,
    AdaptedDense,
    LayerNorm,
    Pass,
    Residual,
    Sequential,
    Step,
)
from deepreservoir.models import MLPConfig, from_plain
from deepreservoir.network import Network
from deepreservoir.params import DECAYED, ParamSet

MNIST_MEDIUM = {
    "n_features": 784,
    "n_outputs": 10,
    "hidden_layer_sizes": (512, 256, 128, 64),
}


def config(**given):
    return MLPConfig(**({"n_features": 6, "n_outputs": 3, "hidden_layer_sizes": (8, 4)} | given))


def slots(made):
    return {slot.path: slot for slot in Sequential(made.build()).slots()}


def count(made):
    return ParamSet(Sequential(made.build()).slots()).size


def hidden(made):
    """The layers of the body, which come before the head."""
    return made.build()[0].layers


# Counts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "expected"), [(1, 3294), (2, 5934), (4, 11214), (8, 21774), (16, 42894), (32, 85134)]
)
def test_trained_parameters_are_those_of_the_paper(rank, expected):
    made = MLPConfig(**MNIST_MEDIUM, rank=rank, adapter="lora", bias=False)
    assert count(made) == made.n_params == expected


def test_fully_trained_parameters_are_those_of_the_paper():
    made = MLPConfig(**MNIST_MEDIUM, adapter="full", bias=True)
    assert count(made) == made.n_params == 575_050


@pytest.mark.parametrize(
    ("given", "extra"),
    [
        ({"beta": "fixed"}, -2),
        ({"beta": 0.5}, 0),
        ({"bias": True}, 8 + 4),
        ({"layer_norm": True}, 2 * (8 + 4)),
        ({"adapter": "dora"}, 8 + 4),
        ({"head": "lora"}, 2 * (4 + 3) + 1 - (4 * 3 + 3)),
        ({"head": "lora+bias"}, 2 * (4 + 3) + 1 - 4 * 3),
        ({"residual": True, "hidden_layer_sizes": (8, 8)}, 2 * (8 + 8 - 8 - 4) + (8 - 4) * 3),
        ({"dropout": 0.1, "adapter_dropout": 0.1, "activation": "gelu"}, 0),
    ],
)
def test_each_option_adds_the_parameters_it_means(given, extra):
    assert count(config(rank=2, **given)) == count(config(rank=2)) + extra


def test_only_matrices_decay():
    made = config(adapter="dora", bias=True, layer_norm=True, head="lora+bias")
    for path, slot in slots(made).items():
        assert (slot.group in DECAYED) == (len(slot.shape) == 2), path


def test_paths_and_shapes_are_the_documented_ones():
    made = config(rank=2, adapter="dora", bias=True, layer_norm=True)
    shapes = {path: slot.shape for path, slot in slots(made).items()}
    assert shapes == {
        "layers.0.A": (2, 6),
        "layers.0.B": (8, 2),
        "layers.0.magnitude": (8,),
        "layers.0.beta": (1,),
        "layers.0.bias": (8,),
        "layers.0.norm.weight": (8,),
        "layers.0.norm.bias": (8,),
        "layers.1.A": (2, 8),
        "layers.1.B": (4, 2),
        "layers.1.magnitude": (4,),
        "layers.1.beta": (1,),
        "layers.1.bias": (4,),
        "layers.1.norm.weight": (4,),
        "layers.1.norm.bias": (4,),
        "head.weight": (3, 4),
        "head.bias": (3,),
    }


# What the layers are told ------------------------------------------------------------


def adapters(made):
    layers = Sequential(made.build()).walk()
    return [layer.adapter for layer in layers if isinstance(layer, AdaptedDense)]


@pytest.mark.parametrize(
    ("given", "scaling"),
    [
        ({}, 1.0),
        ({"lora_alpha": 16}, 4.0),
        ({"lora_alpha": 16, "scaling": "rslora"}, 8.0),
        ({"scaling": "rslora"}, 2.0),
    ],
)
def test_scaling_is_alpha_over_rank_or_over_its_root(given, scaling):
    assert [a.scaling for a in adapters(config(rank=4, **given))] == [scaling, scaling]


def test_auto_rank_is_eight_or_the_narrowest_side():
    made = config(n_features=100, hidden_layer_sizes=(50, 5), head="lora")
    assert made.ranks == (8, 5)
    assert [a.rank for a in adapters(made)] == [8, 5, 3]


@pytest.mark.parametrize(
    ("beta", "start", "learned"), [("learned", 1.0, True), ("fixed", 1.0, False), (-2, -2.0, True)]
)
def test_beta_is_a_start_value_or_fixed_at_one(beta, start, learned):
    assert {(a.beta, a.learn_beta) for a in adapters(config(beta=beta))} == {(start, learned)}


def test_only_the_first_layer_skips_its_input_gradient():
    made = config(head="lora", hidden_layer_sizes=(6, 6), residual=True)
    layers = [layer for layer in Sequential(made.build()).walk() if isinstance(layer, AdaptedDense)]
    assert [layer.path for layer in layers] == ["layers.0", "layers.1", "head"]
    assert [layer.needs_dx for layer in layers] == [False, True, True]


def test_a_residual_stands_where_the_width_stays():
    made = config(n_features=6, hidden_layer_sizes=(8, 8, 4), residual=True)
    kinds = [type(layer) for layer in hidden(made)]
    # The activation of a residual layer comes after its skip.
    assert kinds == [ActivatedDense, Residual, Activation, ActivatedDense]


def test_layer_norm_comes_before_the_nonlinearity():
    layers = hidden(config(layer_norm=True))
    assert [isinstance(layer, LayerNorm) for layer in layers] == [False, True, False] * 2


# What is refused ------------------------------------------------------------

REFUSED = [
    ("n_features", 0, "n_features must be an integer of at least 1; got 0"),
    ("n_features", 2.0, "n_features must be an integer of at least 1; got 2.0"),
    ("n_features", True, "n_features must be an integer of at least 1; got True"),
    ("n_outputs", -1, "n_outputs must be an integer of at least 1; got -1"),
    ("n_outputs", None, "n_outputs must be an integer of at least 1; got None"),
    ("hidden_layer_sizes", (8, 0), "hidden_layer_sizes[1] must be an integer of at least 1; got 0"),
    (
        "hidden_layer_sizes",
        ("8",),
        "hidden_layer_sizes[0] must be an integer of at least 1; got '8'",
    ),
    (
        "activation",
        "selu",
        "activation must be one of 'relu', 'tanh', 'logistic', 'gelu', 'silu', 'identity'; got",
    ),
    ("activation", None, "activation must be one of"),
    ("adapter", "LoRA", "adapter must be one of 'lora', 'dora', 'full', 'none'; got 'LoRA'"),
    ("scaling", "sqrt", "scaling must be one of 'lora', 'rslora'; got 'sqrt'"),
    ("head", "none", "head must be one of 'full', 'lora', 'lora+bias'; got 'none'"),
    ("b_init", "ones", "b_init must be one of 'zeros', 'kaiming'; got 'ones'"),
    ("dtype", "float16", "dtype must be one of 'float32', 'float64'; got 'float16'"),
    ("rank", 0, "rank must be an integer of at least 1; got 0"),
    ("rank", 1.5, "rank must be an integer of at least 1; got 1.5"),
    ("rank", True, "rank must be an integer of at least 1; got True"),
    ("rank", None, "rank must be an integer of at least 1; got None"),
    ("rank", "full", "rank must be an integer of at least 1, or 'auto'; got 'full'"),
    ("lora_alpha", 0, "lora_alpha must be positive, or None; got 0"),
    ("lora_alpha", -1.0, "lora_alpha must be positive, or None; got -1.0"),
    ("lora_alpha", float("inf"), "lora_alpha must be positive, or None; got inf"),
    ("lora_alpha", float("nan"), "lora_alpha must be positive, or None; got nan"),
    ("lora_alpha", "16", "lora_alpha must be positive, or None; got '16'"),
    ("beta", "free", "beta must be one of 'learned', 'fixed'; got 'free'"),
    ("beta", float("nan"), "beta must be 'learned', 'fixed' or a finite initial value; got nan"),
    ("beta", True, "beta must be 'learned', 'fixed' or a finite initial value; got True"),
    ("beta", None, "beta must be 'learned', 'fixed' or a finite initial value; got None"),
    ("dropout", 1.0, "dropout must be in [0, 1); got 1.0"),
    ("dropout", -0.1, "dropout must be in [0, 1); got -0.1"),
    ("dropout", "0.1", "dropout must be in [0, 1); got '0.1'"),
    ("adapter_dropout", 1, "adapter_dropout must be in [0, 1); got 1"),
    ("adapter_dropout", float("nan"), "adapter_dropout must be in [0, 1); got nan"),
    ("scaffold", "gauss", "scaffold must be one of normal"),
    ("scaffold", None, "scaffold must be one of normal"),
    ("scaffold_scale", 0.0, "scaffold_scale must be a positive gain or 'family'; got 0.0"),
    ("scaffold_scale", -1.0, "scaffold_scale must be a positive gain or 'family'; got -1.0"),
    ("scaffold_scale", float("inf"), "scaffold_scale must be a positive gain or 'family'; got inf"),
    ("scaffold_scale", "own", "scaffold_scale must be a positive gain or 'family'; got 'own'"),
    (
        "storage",
        "disk",
        "storage must be one of auto, dense, packed, streamed, structured; got 'disk'",
    ),
    ("storage", "structured", "storage='structured' cannot hold scaffold='normal'; use"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_a_bad_value_is_refused_by_name_with_what_was_expected_and_what_came(name, value, message):
    with pytest.raises(ValueError, match=r"must be|cannot hold") as error:
        config(**{name: value})
    assert message in str(error.value)
    assert repr(value if name != "hidden_layer_sizes" else value[-1]) in str(error.value)


@pytest.mark.parametrize("value", [8.0, True, "64,32", None])
def test_hidden_layer_sizes_that_are_no_sequence_are_refused_by_name(value):
    with pytest.raises(ValueError, match=r"hidden_layer_sizes.* must be"):
        config(hidden_layer_sizes=value)


@pytest.mark.parametrize("name", ["bias", "layer_norm", "residual"])
@pytest.mark.parametrize("value", ["no", 2, None])
def test_a_switch_that_is_not_true_or_false_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        config(**{name: value, "hidden_layer_sizes": (6,)})


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"rank": 5}, "min(d_in, d_out) = 4 for hidden layer 1 (8 -> 4); got 5"),
        ({"rank": 7, "adapter": "dora"}, "= 6 for hidden layer 0 (6 -> 8); got 7"),
        ({"rank": 4, "head": "lora"}, "min(d_in, d_out) = 3 for the head (4 -> 3); got 4"),
        ({"rank": 4, "head": "lora+bias", "adapter": "none"}, "for the head (4 -> 3); got 4"),
    ],
)
def test_a_rank_that_is_too_large_is_refused_with_the_layer_it_does_not_fit(given, where):
    with pytest.raises(ValueError, match="rank must be between 1 and") as error:
        config(**given)
    assert where in str(error.value)


@pytest.mark.parametrize("adapter", ["full", "none"])
def test_a_rank_that_nothing_uses_is_not_checked_against_the_layers(adapter):
    assert config(rank=100, adapter=adapter).rank == 100


def test_a_residual_without_equal_widths_is_refused_with_the_widths():
    with pytest.raises(ValueError, match=r"residual=True needs .* \(6, 8, 4\)\. Make two"):
        config(residual=True)


@pytest.mark.parametrize("name", ["dropout", "adapter_dropout"])
@pytest.mark.parametrize("share", [1e-6, 1 - 2**-16, 1 - 2**-17, 1 - 1e-9])
def test_a_share_is_refused_by_name_or_can_be_used(name, share):
    # The masks know shares in steps of 2**-16, so the last two round to one.
    try:
        network = Network(config(**{name: share}), seed=0)
    except ValueError as error:
        assert name in str(error)  # noqa: PT017
    else:
        outputs, _ = network.forward(xp.ones((2, 6), np.float32), Pass(Step(0, 0)))
        assert xp.isfinite(outputs).all()


# Plain data ------------------------------------------------------------

EVERY_OPTION = {
    "n_features": 6,
    "n_outputs": 3,
    "hidden_layer_sizes": (8, 8),
    "activation": "silu",
    "rank": 2,
    "lora_alpha": 4.0,
    "scaling": "rslora",
    "adapter": "dora",
    "scaffold": "binary",
    "scaffold_scale": "family",
    "storage": "packed",
    "beta": 0.5,
    "b_init": "kaiming",
    "head": "lora+bias",
    "bias": True,
    "layer_norm": True,
    "residual": True,
    "dropout": 0.1,
    "adapter_dropout": 0.2,
    "dtype": "float64",
}


@pytest.mark.parametrize("given", [{"n_features": 6, "n_outputs": 3}, EVERY_OPTION])
def test_a_config_survives_json(given):
    made = MLPConfig(**given)
    read = from_plain(json.loads(json.dumps(made.to_plain())))
    assert read == made
    assert hash(read) == hash(made)
    assert isinstance(read.hidden_layer_sizes, tuple)


def test_every_option_and_the_architecture_are_in_the_plain_data():
    plain = EVERY_OPTION | {"architecture": "mlp", "hidden_layer_sizes": [8, 8]}
    assert MLPConfig(**EVERY_OPTION).to_plain() == plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_features", np.int64(6)),
        ("n_outputs", np.int32(3)),
        ("hidden_layer_sizes", np.array([8, 4])),
        ("rank", np.int64(2)),
        ("lora_alpha", np.float32(2)),
        ("scaffold_scale", np.float32(0.5)),
        ("beta", np.float32(0.5)),
        ("dropout", np.float32(0.5)),
        ("adapter_dropout", np.float64(0.5)),
    ],
)
def test_numpy_numbers_are_accepted_and_become_plain(name, value):
    made = config(**{name: value})
    assert from_plain(json.loads(json.dumps(made.to_plain()))) == made
