"""Betas: which layers have one, medians and signs, what the history says, whom it refuses."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    EchoStateRegressor,
    MLPConfig,
    Network,
    load,
    save,
)
from deepreservoir.analysis import betas_of, network_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)


def classifier(**params):
    settings = {"hidden_layer_sizes": (16, 8), "max_iter": 4, "batch_size": 32, "random_state": 0}
    return DeepReservoirClassifier(**(settings | params))


def network(**given):
    shape = {"n_features": 6, "n_outputs": 3, "hidden_layer_sizes": (9, 9, 5), "rank": 2}
    return Network(MLPConfig(**(shape | given)), seed=1)


def with_betas(*values, **given):
    net = network(**given)
    named = net.named_parameters()
    for path, value in zip([p for p in named if p.endswith(".beta")], values, strict=True):
        named[path][...] = value
    return net


# By layer ---------------------------------------------------------------------------------


def test_medians_are_of_magnitudes_and_shares_are_of_signs():
    betas = betas_of(with_betas(-3.0, 0.5, 1.0))
    assert betas.paths == ("layers.0", "layers.1", "layers.2")
    assert betas.values.tolist() == [-3.0, 0.5, 1.0]
    assert betas.median == 1.0  # of 3, 0.5 and 1; the median of the values is 0.5
    assert betas.positive == 2 / 3


def test_a_beta_of_zero_is_not_positive():
    assert betas_of(with_betas(0.0, 0.0, 1.0)).positive == 1 / 3


@pytest.mark.parametrize("adapter", ["lora", "dora"])
@pytest.mark.parametrize("head", ["lora", "lora+bias"])
def test_a_head_on_a_scaffold_has_a_beta_too(adapter, head):
    betas = betas_of(with_betas(1.0, 2.0, 3.0, 4.0, adapter=adapter, head=head))
    assert betas.paths[-1] == "head"
    assert betas.values.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("adapter", ["none", "full"])
def test_layers_that_learn_no_beta_are_left_out(adapter):
    betas = betas_of(with_betas(0.25, adapter=adapter, head="lora"))
    assert (betas.paths, betas.values.tolist()) == (("head",), [0.25])


def test_residual_layers_and_float64_are_read():
    betas = betas_of(with_betas(0.1, 0.2, 0.3, residual=True, layer_norm=True, dtype="float64"))
    assert betas.values.tolist() == [0.1, 0.2, 0.3]  # in float32 they would be others
    assert betas.values.dtype == np.float64


# Over training ----------------------------------------------------------------------------


def test_history_has_an_epoch_a_row_and_ends_at_the_model_as_it_is():
    steady = {"schedule": "constant", "warmup": 0.0, "weight_decay": 0.01, "ema_decay": None}
    model = classifier(**steady).fit(X, Y)
    betas = betas_of(model)
    assert betas.history.shape == (4, 2)
    assert betas.history[-1].tolist() == betas.values.tolist() == list(model.betas_.values())
    assert len(np.unique(betas.history[:, 0])) == 4  # it moved every epoch
    again = classifier(**steady, max_iter=2).fit(X, Y)  # the same first epochs
    assert betas_of(again).values.tolist() == betas.history[1].tolist()


def test_medians_and_signs_over_training():
    model = classifier().fit(X, Y)
    model.history_["beta"] = [{"layers.0": -2.0, "layers.1": 1.0}, {"layers.0": 3.0, "layers.1": 5}]
    betas = betas_of(model)
    assert betas.median_history.tolist() == [1.5, 4.0]
    assert betas.positive_history.tolist() == [0.5, 1.0]


def test_partial_fit_adds_a_row_each():
    model = classifier()
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    assert betas_of(model).history.shape == (3, 2)


def test_history_goes_on_over_scaffolds_that_change():
    betas = betas_of(classifier(resample="epoch", ema_decay=None).fit(X, Y))
    assert betas.history.shape == (4, 2)
    assert betas.history[-1].tolist() == betas.values.tolist()


def test_history_of_a_head_alone_leaves_the_fixed_betas_out():
    model = classifier(adapter="none", head="lora", rank=2, ema_decay=None).fit(X, Y)
    betas = betas_of(model)
    assert betas.history.shape == (4, 1)
    assert betas.history[-1, 0] == betas.values[0] != 1.0


def test_a_network_and_a_model_from_a_file_have_no_history(tmp_path):
    model = classifier().fit(X, Y)
    for later in (model.network_, load(save(model, tmp_path / "model.safetensors"))):
        betas = betas_of(later)
        assert betas.values.tolist() == betas_of(model).values.tolist()
        assert betas.history.shape == (0, 2)
        assert betas.median_history.shape == betas.positive_history.shape == (0,)


# What is read, and what is refused --------------------------------------------------------


def test_pipelines_and_regressors_are_read():
    model = make_pipeline(StandardScaler(), DeepReservoirRegressor((8,), max_iter=3))
    model.fit(X, X[:, 0])
    assert network_of(model) is model[-1].network_
    assert betas_of(model).history.shape == (3, 1)


@pytest.mark.parametrize(
    ("given", "named"),
    [({"beta": "fixed"}, "beta='fixed'"), ({"adapter": "none"}, "adapter='none'"),
     ({"adapter": "full"}, "adapter='full'"), ({"hidden_layer_sizes": ()}, "head='full'")],
)  # fmt: skip
def test_networks_without_a_learned_beta_are_refused(given, named):
    with pytest.raises(ValueError, match="no layer of this network learns a beta") as caught:
        betas_of(network(**given))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (classifier(), "got DeepReservoirClassifier, which"),
        (make_pipeline(StandardScaler(), classifier()), "at the end of a Pipeline"),
        (EchoStateRegressor(20, random_state=0).fit(X, X), "EchoStateRegressor"),
        (LogisticRegression(), "LogisticRegression"),
        (None, "NoneType"),
    ],
)
def test_what_has_no_network_is_refused_by_name(model, named):
    with pytest.raises(TypeError, match="a fitted deep estimator") as caught:
        network_of(model)
    assert named in str(caught.value)
