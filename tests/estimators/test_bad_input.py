"""Bad input is refused before training, by name, with what was expected and what came."""

import numpy as np
import pytest

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    TextTransformerClassifier,
    TrainingDiverged,
)

X = np.random.default_rng(0).normal(size=(30, 4))
Y = np.arange(30) % 3


@pytest.fixture(autouse=True)
def _no_training(monkeypatch, request):
    """Fail if training is reached, but where a test trains on purpose."""
    if "trains" in request.keywords:
        return

    def reached(*args, **kwargs):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.estimators.base.prepared_fit.train", reached)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rank": 0}, "rank must be an integer of at least 1; got 0"),
        ({"rank": 2.0}, "rank must be an integer"),
        ({"rank": "many"}, "rank must be an integer of at least 1, or 'auto'; got 'many'"),
        ({"rank": 5}, r"rank must be between 1 and min\(d_in, d_out\) = 4 for hidden layer 0"),
        ({"hidden_layer_sizes": (8, 0)}, r"hidden_layer_sizes\[1\] must be an integer of at least"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes must be an integer of at least 1; got 0"),
        ({"hidden_layer_sizes": 8.5}, "hidden_layer_sizes must be a tuple"),
        ({"scaffold": "gaussian"}, "scaffold must be one of normal, .*got 'gaussian'"),
        ({"storage": "cloud"}, "storage must be one of auto, dense.*got 'cloud'"),
        ({"storage": "packed", "scaffold": "orthogonal"}, "storage='packed' cannot hold"),
        ({"storage": "structured"}, "storage='structured' cannot hold scaffold='normal'"),
        ({"adapter": "qlora"}, "adapter must be one of 'lora'.*got 'qlora'"),
        ({"scaling": 2}, "scaling must be one of"),
        ({"scaffold_seed": -1}, "scaffold_seed must be a non-negative integer or None; got -1"),
        ({"scaffold_seed": "a"}, "scaffold_seed must be a non-negative integer or None; got 'a'"),
        ({"random_state": -3}, "random_state must be a non-negative integer or None; got -3"),
        ({"scaffold_scale": 0.0}, "scaffold_scale must be a positive gain or 'family'; got 0.0"),
        ({"beta": "free"}, "beta must be one of"),
        ({"beta": float("nan")}, "beta must be"),
        ({"lora_alpha": -1}, "lora_alpha must be positive"),
        ({"b_init": "ones"}, "b_init must be one of"),
        ({"head": "none"}, "head must be one of"),
        ({"bias": "yes"}, "bias must be True, False or 'paper'"),
        ({"activation": "sine"}, "activation must be one of"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\); got 1.0"),
        ({"residual": True}, "residual=True needs a hidden layer as wide as its input"),
        ({"learning_rate_init": 0}, r"learning_rate_init must be a number in \(0, inf\); got 0"),
        ({"learning_rate_init": "fast"}, "learning_rate_init must be a number"),
        ({"weight_decay": -0.1}, "weight_decay must be a number"),
        ({"optimizer": "lion"}, "optimizer must be one of 'adamw', .*'lbfgs'; got 'lion'"),
        *(
            ({"optimizer": "lbfgs", name: value}, f"optimizer='lbfgs'.* needs {name}=")
            for name, value in {
                "early_stopping": True,
                "resample": "epoch",
                "dropout": 0.1,
                "adapter_dropout": 0.1,
                "max_grad_norm": 1.0,
                "ema_decay": 0.9,
            }.items()
        ),
        ({"max_fun": 0}, "max_fun must be an integer of at least 1; got 0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer of at least 1, or inf"),
        ({"n_iter_no_change": 2.5}, "n_iter_no_change must be an integer of at least 1, or inf"),
        ({"verbose": "no"}, "verbose must be True or False, or an integer: .* got 'no'"),
        ({"verbose": -1}, "verbose must be True or False, or an integer: .* got -1"),
        ({"schedule": "step"}, "schedule must be one of"),
        ({"batch_size": 0}, "batch_size must be 'auto' or an integer of at least 1; got 0"),
        ({"max_iter": 0}, "max_iter must be an integer of at least 1; got 0"),
        ({"ema_decay": 1.0}, "ema_decay must be a number"),
        ({"validation_fraction": 1.5}, "validation_fraction must be a number"),
        ({"projection_cache": "big"}, "projection_cache must be 'auto' or a limit in bytes"),
        ({"dtype": "float16"}, "dtype must be one of"),
        ({"device": "tpu"}, "device must be one of cpu, cuda, cuda:N, auto; got 'tpu'"),
        ({"label_smoothing": 1}, "label_smoothing must be a number"),
        ({"class_weight": "even"}, "class_weight"),
        *(
            ({name: value}, f"{name} must be True or False; got {value!r}")
            for name in ("shuffle", "warm_start", "early_stopping")
            for value in ("no", 1, None)
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_parameters_out_of_range_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        DeepReservoirClassifier(**{"hidden_layer_sizes": (8,), **params}).fit(X, Y)


def test_a_gpu_that_is_not_there_is_an_error_with_its_remedy():
    from deepreservoir.backend import cuda_problem

    if cuda_problem() is None:
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=r"device='cuda' is not available.*device='cpu'"):
        DeepReservoirClassifier(device="cuda").fit(X, Y)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    bad = X.copy()
    bad[3, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        DeepReservoirClassifier().fit(bad, Y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        DeepReservoirRegressor().fit(X, np.where(np.arange(30) == 2, value, 1.0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scikit-learn's own, on the way
def test_values_too_large_for_float32_are_refused():
    with pytest.raises(ValueError, match="too large for dtype"):
        DeepReservoirClassifier().fit(X * 1e300, Y)


@pytest.mark.trains
def test_another_number_of_features_is_refused():
    model = DeepReservoirClassifier((8,), max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"3 features.*expecting 4 features"):
        model.predict(X[:, :3])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(30), "must not be negative"),
        (np.zeros(30), "at least one|non-zero"),
        (np.ones(29), "shape"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        DeepReservoirClassifier().fit(X, Y, sample_weight=weights)


def test_empty_data_is_refused():
    with pytest.raises(ValueError, match="0 sample"):
        DeepReservoirClassifier().fit(X[:0], Y[:0])


def test_labels_in_a_regression_are_refused_with_the_remedy():
    with pytest.raises(
        ValueError,
        match=r"y must be numeric for a regressor; got dtype <U1, .*'a'.*Use a classifier",
    ):
        DeepReservoirRegressor().fit(X, np.array(["a", "b", "c"])[Y])


def test_numbers_that_are_no_labels_are_refused():
    with pytest.raises(ValueError, match="continuous"):
        DeepReservoirClassifier().fit(X, X[:, 0])


@pytest.mark.parametrize("label", [None, 3])
def test_labels_that_are_strings_and_something_else_are_refused(label):
    labels = np.array(["a", label, "b"] * 10, object)
    codes, text = [[1, 2]] * 30, TextTransformerClassifier(vocabulary_size=9, max_length=4)
    for model, samples in ((DeepReservoirClassifier(), X), (text, codes)):
        with pytest.raises(ValueError, match=rf"of one kind.* y\[1\] is {label} beside strings"):
            model.fit(samples, labels)


def test_too_few_samples_to_hold_out_are_named_with_the_remedy():
    labels = np.arange(len(Y))
    message = r"early_stopping cannot hold out.*the only ones of their class.*early_stopping=False"
    with pytest.raises(ValueError, match=message):
        DeepReservoirClassifier(early_stopping=True).fit(X, labels)
    message = r"cannot hold out validation_fraction=0.99 of 2 samples\. Give more"
    with pytest.raises(ValueError, match=message):
        DeepReservoirRegressor(early_stopping=True, validation_fraction=0.99).fit(X[:2], Y[:2])


def test_partial_fit_asks_for_the_classes_first():
    with pytest.raises(ValueError, match="classes must be given on the first call"):
        DeepReservoirClassifier().partial_fit(X, Y)


@pytest.mark.trains
def test_partial_fit_refuses_classes_it_was_not_told_of():
    model = DeepReservoirClassifier((8,)).partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"earlier calls did not have: \[7\]"):
        model.partial_fit(X, np.where(Y == 0, 7, Y))
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        model.partial_fit(X, Y, classes=[0, 1])


@pytest.mark.trains
def test_a_warm_start_on_another_network_is_refused_and_says_what_changed():
    model = DeepReservoirClassifier((8,), max_iter=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="rank: 'auto' -> 2"):
        model.set_params(rank=2).fit(X, Y)


@pytest.mark.trains
def test_divergence_names_epoch_step_and_remedy():
    with pytest.raises(TrainingDiverged, match=r"epoch \d+, step \d+: .*StandardScaler"):
        DeepReservoirClassifier((8,), optimizer="sgd", learning_rate_init=1e6, beta=1e9).fit(
            X * 1e6, Y
        )


@pytest.mark.trains
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(("scale", "rate"), [(1, 1e3), (1, 1.0), (300, 0.05), (1e10, 1.0)])
def test_divergence_is_the_same_error_with_early_stopping(early_stopping, scale, rate):
    model = DeepReservoirRegressor(
        (16,),
        rank=2,
        max_iter=20,
        optimizer="sgd",
        learning_rate_init=rate,
        early_stopping=early_stopping,
        random_state=0,
    )
    with pytest.raises(TrainingDiverged, match=r"loss became (nan|inf) at epoch \d+, step \d+"):
        model.fit(scale * X, X[:, 0])


@pytest.mark.trains
def test_an_unfitted_model_says_so():
    with pytest.raises(ValueError, match="not fitted"):
        DeepReservoirClassifier().predict(X)


@pytest.mark.trains
def test_ctrl_c_leaves_a_usable_model(monkeypatch):
    from deepreservoir.losses import SoftmaxCrossEntropy

    calls = []
    original = SoftmaxCrossEntropy.__call__

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(SoftmaxCrossEntropy, "__call__", interrupted)
    model = DeepReservoirClassifier((8,), random_state=0)
    with pytest.warns(UserWarning, match="interrupted after 6 epochs; the model is usable"):
        model.fit(X, Y)
    assert model.stop_reason_ == "interrupted"
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_random_state_that_numpy_does_not_take_is_named():
    with pytest.raises(ValueError, match="random_state must be less than"):
        DeepReservoirClassifier(random_state=2**40).fit(np.eye(4), [0, 1, 0, 1])
