"""Deep models to files and back: the same bits, or a reason."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from artifact_tools import (
    CLASSES,
    TARGETS,
    X,
    classifier,
    forged,
    in_tensors,
    pipeline,
    regressor,
    set_at,
    told,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from target import host

from deepreservoir import ArtifactError, DeepReservoirClassifier, container, load, save

PARAMS = [
    {},
    {"scaffold": "orthogonal"},
    {"scaffold": "spectral_radius", "scaffold_scale": 0.7},
    {"scaffold": "hadamard"},
    {"scaffold": "kronecker", "head": "lora+bias", "rank": 2},
    {"scaffold": "binary", "storage": "packed", "scaffold_scale": "family"},
    {"storage": "streamed"},
    {"adapter": "dora", "beta": 0.5, "layer_norm": True},
    {"adapter": "full", "dropout": 0.1},
    {"adapter": "none", "head": "lora", "rank": 2},
    {"hidden_layer_sizes": (6, 6), "residual": True, "activation": "gelu"},
    {"hidden_layer_sizes": ()},
    {"dtype": "float64", "scaling": "rslora", "lora_alpha": 2},
    {"scaffold_seed": 10**30},
]


@pytest.mark.parametrize("params", PARAMS, ids=str)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_loaded_model_is_the_saved_one_bit_for_bit(make, params, tmp_path):
    model = make(**params)
    found = load(save(model, tmp_path / "m.safetensors"))
    assert type(found) is type(model)
    assert told(found) == told(model)
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    np.testing.assert_array_equal(host(found.network_.theta), host(model.network_.theta))
    assert found.network_.digests() == model.network_.digests()
    for name in ("n_features_in_", "scaffold_seed_", "betas_", "n_trained_params_", "n_iter_"):
        assert getattr(found, name) == getattr(model, name), name


def test_classes_keep_their_kind(tmp_path):
    for labels in (
        CLASSES,
        CLASSES.astype(object),
        np.arange(90) % 2 == 0,
        np.arange(90) % 4 - 1.0,
    ):
        model = DeepReservoirClassifier((8,), max_iter=2, random_state=0).fit(X, labels)
        found = load(save(model, tmp_path / "m.safetensors"))
        assert found.classes_.dtype == model.classes_.dtype
        np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(found.predict(X), model.predict(X))


def test_targets_keep_their_form(tmp_path):
    for y in (TARGETS[:, 0], TARGETS[:, :1], TARGETS):
        model = regressor(y)
        found = load(save(model, tmp_path / "m.safetensors"))
        assert found.predict(X).shape == y.shape
        assert found.score(X, y) == model.score(X, y)


def test_a_pipeline_comes_back_as_one(tmp_path):
    model = pipeline()
    found = load(save(model, tmp_path / "m.safetensors"))
    assert [name for name, _ in found.steps] == [name for name, _ in model.steps]
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    for wanted in (
        {"with_mean": False},
        {"with_std": False},
        {"with_mean": False, "with_std": False},
    ):
        model = clone(pipeline()).set_params(
            **{f"standardscaler__{k}": v for k, v in wanted.items()}
        )
        model.fit(X * 4, TARGETS)
        found = load(save(model, tmp_path / "m.safetensors"))
        np.testing.assert_array_equal(found.predict(X), model.predict(X))


def test_names_of_features_are_kept(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = DeepReservoirClassifier((8,), max_iter=2, random_state=0).fit(frame, CLASSES)
    found = load(save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(found.feature_names_in_, model.feature_names_in_)
    with pytest.raises(ValueError, match="feature names should match"):
        found.predict(frame[list("fedcba")])


def test_a_loaded_model_goes_on(tmp_path):
    model = classifier(class_weight={"no": 2.0, "perhaps": 1.0, "yes": 1.0})
    found = load(save(model, tmp_path / "m.safetensors"))
    assert found.class_weight == model.class_weight
    for one in (model, found):
        one.partial_fit(X, CLASSES)
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    assert clone(found).fit(X, CLASSES).score(X, CLASSES) > 0.3
    assert (pickle.loads(pickle.dumps(found)).predict(X) == found.predict(X)).all()


def test_the_same_model_is_the_same_bytes(tmp_path):
    one = save(classifier(), tmp_path / "one").read_bytes()
    assert save(classifier(), tmp_path / "two").read_bytes() == one
    assert save(load(tmp_path / "one"), tmp_path / "three").read_bytes() == one


@pytest.mark.host(reason="the other process knows of no stand-in")
def test_another_process_loads_the_same(tmp_path):
    model = classifier()
    path = save(model, tmp_path / "m.safetensors")
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys, numpy as np; from deepreservoir import load; "
        "np.save(sys.argv[3], load(sys.argv[1]).predict_proba(np.load(sys.argv[2])))"
    )
    out = tmp_path / "out.npy"
    subprocess.run([sys.executable, "-c", code, path, tmp_path / "x.npy", out], check=True)
    np.testing.assert_array_equal(np.load(out), model.predict_proba(X))


def test_sixteen_bits_halve_the_numbers_and_tell_their_cost(tmp_path):
    model = classifier(hidden_layer_sizes=(64, 32))
    sizes = {}
    for dtype in (None, "float16", "bfloat16"):
        path = save(model, tmp_path / "m.safetensors", dtype=dtype)
        contents = container.read(path)
        sizes[dtype] = sum(map(contents.nbytes, contents.tensors))
        found = load(path)
        assert found.score(X, CLASSES) > model.score(X, CLASSES) - 0.1
        if dtype:
            cost = contents.document["precision"]
            bits = {"float16": 11, "bfloat16": 8}[dtype]
            assert 0 < cost["largest_error"] <= 2.0**-bits
    assert sizes["float16"] == sizes["bfloat16"] == sizes[None] / 2
    path = save(model, tmp_path / "m.safetensors", dtype="float16", X=X, y=CLASSES)
    cost = container.read(path).document["precision"]
    assert cost["rows"] == len(X)
    assert cost["score"] == model.score(X, CLASSES)
    assert cost["score_rounded"] == load(path).score(X, CLASSES)


def test_scalers_keep_all_their_digits(tmp_path):
    contents = container.read(save(pipeline(), tmp_path / "m.safetensors", dtype="bfloat16"))
    own = {name: kept for name, kept in contents.dtypes.items() if kept == "float64"}
    wanted = [f"preprocessing.0.{name}" for name in ("mean", "scale", "var")]
    assert sorted(own) == [*wanted, "target.mean", "target.scale"]


# Refused when saving ------------------------------------------------------------------------


def test_what_only_a_pickle_could_hold_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"

    class Own(DeepReservoirClassifier):
        pass

    fitted = LogisticRegression().fit(X, CLASSES)
    powers = make_pipeline(PolynomialFeatures(), DeepReservoirClassifier((4,), max_iter=1))
    cases = [
        (fitted, "one of .*DeepReservoirClassifier, .* got LogisticRegression"),
        (Own((4,), max_iter=1).fit(X, CLASSES), "got Own"),
        (powers.fit(X, CLASSES), "step 'polynomialfeatures' of the pipeline is a Polynomial"),
        (make_pipeline(StandardScaler(), fitted).fit(X, CLASSES), "got LogisticRegression"),
        (classifier().set_params(random_state=object()), "random_state cannot be saved"),
        (classifier().set_params(tol=float("inf")), "tol must be a number"),
    ]
    for model, message in cases:
        with pytest.raises(ArtifactError, match=message):
            save(model, path)
    with pytest.raises(NotFittedError):
        save(DeepReservoirClassifier(), path)
    with pytest.raises(ArtifactError, match="one of float16, bfloat16, int8, int6 or None"):
        save(classifier(), path, dtype="int4")
    with pytest.raises(ArtifactError, match="X and y must be passed together"):
        save(classifier(), path, dtype="float16", X=X)
    with pytest.raises(ArtifactError, match="y is given without X"):
        save(classifier(), path, dtype="float16", y=CLASSES)
    assert not path.exists()


def test_a_generator_is_left_out(tmp_path):
    model = classifier(random_state=np.random.RandomState(3))
    found = load(save(model, tmp_path / "m.safetensors"))
    assert found.random_state is None
    np.testing.assert_array_equal(found.predict(X), model.predict(X))


# Refused when loading -----------------------------------------------------------------------


WIDE = [10**6, 10**6]
REFUSED = {
    "estimator": (
        set_at("estimator", to="Pickle"),
        "contains a 'Pickle', which is not registered; the registered ones are .*DeepReservoir",
    ),
    "estimator list": (
        set_at("estimator", to=["x"]),
        r"contains a \['x'\], which is not registered",
    ),
    "entry": (set_at("more", to=1), "must have the entries"),
    "no entry": (set_at("fitted", to=KeyError), "must have the entries"),
    "parameter": (set_at("params", "colour", to=1), "has no parameter 'colour'"),
    "parameter value": (set_at("params", "rank", to={"eval": "1"}), "rank must be a value"),
    "fitted": (set_at("fitted", "epochs", to="3"), "fitted, epochs: expected int; got '3'"),
    "features": (set_at("fitted", "n_features", to=7), "reads 6 features, but the model 7"),
    "names": (set_at("fitted", "feature_names", to=["a"]), "1 names for 6 features"),
    "config": (set_at("config", "rank", to=100), "config: rank must be between 1 and"),
    "config type": (
        set_at("config", "hidden_layer_sizes", to=3),
        "hidden_layer_sizes must be a list; got 3",
    ),
    "config entry": (
        set_at("config", "layers", to=3),
        "config: the architecture 'mlp' has no field 'layers'",
    ),
    "terabytes": (
        set_at("config", "hidden_layer_sizes", to=WIDE),
        "needs 4,000,.* bytes for its scaffold; max_bytes allows 2,147,483,648",
    ),
    "layers": (
        set_at("config", "hidden_layer_sizes", to=[1] * 300_000),
        "for its layers than max_bytes allows: 2,147,483,648, which are 214,748 layers of 10,000",
    ),
    "stream": (set_at("scaffold", "stream", to=2), "streams of version 2"),
    "seed": (set_at("scaffold", "seed", to=1), "'layers.0' are not those of the saved model"),
    "negative seed": (set_at("scaffold", "seed", to=-1), "seed of a scaffold must not be negative"),
    "digest": (
        set_at("scaffold", "layers", 1, "digest", to="00"),
        "layer 'layers.1' are not those of the saved model: expected digest 00, got [0-9a-f]{64}",
    ),
    "family": (set_at("scaffold", "layers", 0, "family", to="beta"), "does not match the conf"),
    "shape": (set_at("scaffold", "layers", 0, "shape", to=[1, 1]), "does not match the conf"),
    "path": (set_at("scaffold", "layers", 0, "path", to="../x"), "must have the layers"),
    "factor": (set_at("scaffold", "layers", 0, "factor", to=2.0), "known_factor .* spectral"),
    "classes": (
        set_at("fitted", "classes", "values", to=["a", "b"]),
        "targets with 1 outputs do not match the 3 outputs of the network",
    ),
    "classes twice": (
        set_at("fitted", "classes", "values", to=["a", "a", "b"]),
        "sorted and distinct",
    ),
    "classes type": (set_at("fitted", "classes", "values", to=[1, 2, 3]), "must be a list of"),
    "classes dtype": (set_at("fitted", "classes", "dtype", to="(9,)i8"), "cannot be of dtype"),
    "seeds": (set_at("fitted", "seeds", to=[1, 2]), "three non-negative integers"),
    "missing": (in_tensors(lambda t: t.pop("layers.0.A")), "has no tensor 'layers.0.A'"),
    "extra": (in_tensors(lambda t: t.update(x=t["head.bias"])), "has an extra tensor 'x'"),
    "tensor shape": (
        in_tensors(lambda t: t.update({"head.bias": np.float32([1])})),
        r"tensor 'head.bias' must have shape \(3,\); got \(1,\)",
    ),
    "tensor dtype": (
        in_tensors(lambda t: t.update({"head.bias": np.zeros(3)})),
        "tensor 'head.bias' must be float32 or float16 or bfloat16; got float64",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_says_something_else_is_refused(case, tmp_path):
    change, message = REFUSED[case]
    path = save(classifier(), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=message) as caught:
        load(forged(path, change))
    assert str(caught.value).startswith(str(tmp_path))


PIPELINES = {
    "class": (
        set_at("preprocessing", "steps", 0, "class", to="Evil"),
        "'Evil', which is not registered",
    ),
    "width": (set_at("preprocessing", "steps", 0, "n_features", to=5), r"must have shape \(5,\)"),
    "flag": (
        set_at("preprocessing", "steps", 0, "params", "with_std", to=False),
        "should not be there",
    ),
    "no steps": (set_at("preprocessing", "steps", to=[]), "has an extra tensor 'preprocessing.0"),
    "name": (
        set_at("preprocessing", "estimator", to="standardscaler"),
        "must have different names",
    ),
    "missing": (in_tensors(lambda t: t.pop("preprocessing.0.mean")), "is missing"),
    "scale": (
        in_tensors(lambda t: t.update({"target.scale": np.array([0.0, 1.0])})),
        "'target.scale' must be positive",
    ),
    "dimensions": (set_at("fitted", "target_ndim", to=1), "2 targets cannot have 1 dimensions"),
}


@pytest.mark.parametrize("case", PIPELINES)
def test_steps_that_say_something_else_are_refused(case, tmp_path):
    change, message = PIPELINES[case]
    path = save(pipeline(), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=message):
        load(forged(path, change))


def test_the_limit_can_be_raised(tmp_path):
    path = save(classifier(), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match="max_bytes allows: 20,000"):
        load(path, max_bytes=20_000)
    assert load(path, max_bytes=100_000).score(X, CLASSES) > 0


def test_no_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.safetensors")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(classifier()))
    with pytest.raises(ArtifactError, match="not a safetensors file"):
        load(path)


def test_nothing_reads_pickles():
    from pathlib import Path

    import deepreservoir

    root = Path(deepreservoir.__file__).parent
    for source in root.rglob("*.py"):
        # Planetoid publishes pickles; its reader allows arrays only, and has tests of its own.
        if source.name == "planetoid.py":
            continue
        text = source.read_text(encoding="utf-8")
        assert "import pickle" not in text, source
        assert "allow_pickle=True" not in text, source


def test_frozen_weights_that_are_not_held_count_less_towards_the_limit(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 6)).astype(np.float32), np.arange(20) % 2
    for storage, allowed in (("streamed", True), ("dense", False)):
        model = DeepReservoirClassifier(
            (300, 300), rank=1, max_iter=1, storage=storage, random_state=0
        ).fit(X, y)
        path = save(model, tmp_path / storage)
        if allowed:
            assert (load(path, max_bytes=100_000).predict(X) == model.predict(X)).all()
        else:
            with pytest.raises(ArtifactError, match="for its scaffold; max_bytes allows 100,000"):
                load(path, max_bytes=100_000)
