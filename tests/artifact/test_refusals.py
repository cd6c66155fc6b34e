"""What a file says wrongly is refused where it is found; faults of our own are not hidden so."""

from functools import partial

import numpy as np
import pytest
import test_echo_files as echo
from artifact_tools import X, classifier, forged, gated, in_tensors, regressor, set_at

from deepreservoir import (
    ArtifactError,
    CfCClassifier,
    ViTClassifier,
    attach,
    container,
    load,
    save,
    strict_json,
)
from deepreservoir.artifact import persist
from deepreservoir.artifact.summary import describe

pytestmark = pytest.mark.host(reason="files are the host's")


@pytest.mark.parametrize(
    "error", [AttributeError, KeyError, MemoryError, RecursionError, TypeError]
)
@pytest.mark.parametrize("reader", ["load", "attach", "describe"])
def test_faults_of_our_own_keep_their_kind(error, reader, tmp_path, monkeypatch):
    model = classifier()
    path = save(model, tmp_path / "m")

    def fail(*args, **named):
        raise error("a fault of our own")

    monkeypatch.setattr(persist, "unpack", fail)
    monkeypatch.setattr("deepreservoir.artifact.summary._numbers", fail)
    readers = {"load": load, "attach": lambda path: attach(model, path), "describe": describe}
    with pytest.raises(error, match="a fault of our own"):
        readers[reader](path)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


TWELVE = partial(echo.regressor, units=12)
PARAMS = {
    "washout a word": (echo.classifier, "washout", "three", "washout must be an integer"),
    "washout none": (echo.classifier, "washout", None, "washout must be an integer"),
    "readout a number": (
        echo.classifier, "readout", 7, "readout must have the methods fit and predict of .*; got 7",
    ),
    "topology": (echo.regressor, "topology", "star", "topology must be one of"),
    "topology a list": (echo.regressor, "topology", ["ring"], "topology must be one of"),
    "hadamard": (TWELVE, "topology", "hadamard", "needs a power of two of units"),
    "units": (echo.regressor, "units", 10**400, "units must be an integer of at most 2"),
    "noise": (echo.regressor, "noise", 10**400, "noise must be a number in"),
    "plasticity": (
        echo.regressor, "plasticity", {"plasticity": [1, 0.0, None, 0.1]}, "deviation must be",
    ),
    "plasticity a word": (
        echo.regressor, "plasticity", {"plasticity": [1, "a", 0.5, 0.1]}, "mean must be",
    ),
    "rank": (classifier, "rank", 1000, "rank must be between 1 and"),
    "rank a word": (classifier, "rank", "most", "rank must be an integer"),
    "dropout": (regressor, "dropout", 10**400, r"dropout must be in \[0, 1\)"),
    "scale": (regressor, "scaffold_scale", 10**400, "scaffold_scale must be a positive gain"),
    "learning rate": (regressor, "learning_rate_init", 10**400, "learning_rate_init must be"),
    "optimiser": (gated, "optimizer", ["adam"], "optimizer must be one of"),
    "resample": (classifier, "resample", "never", "resample must be None"),
    "nested": (classifier, "class_weight", nested(300), "nested more than 32 levels deep"),
}  # fmt: skip


@pytest.mark.parametrize("case", PARAMS)
def test_a_parameter_that_fit_would_refuse_is_refused(case, tmp_path):
    make, name, value, message = PARAMS[case]
    path = save(make(), tmp_path / "m")
    with pytest.raises(ArtifactError, match=message) as caught:
        load(forged(path, set_at("params", name, to=value)))
    assert str(caught.value).startswith(str(tmp_path))


def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path):
    model = classifier().set_params(rank=1000)
    with pytest.raises(ArtifactError, match="params: rank must be between 1 and"):
        save(model, tmp_path / "m")
    reader = echo.classifier().set_params(washout=-1)
    with pytest.raises(ArtifactError, match="params: washout must be an integer"):
        save(reader, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


LAYER = ("scaffold", "layers", 0)
CONTENTS = {
    "seed": (
        echo.regressor,
        set_at("scaffold", "seed", to=-1),
        "seed of a scaffold must not be negative",
    ),
    "units": (echo.regressor, set_at(*LAYER, "units", to=-(2**63)), "reservoir 0: units must be"),
    "many units": (
        echo.regressor,
        set_at(*LAYER, "units", to=10**400),
        "units must be an integer of at most 2",
    ),
    "hadamard": (TWELVE, set_at(*LAYER, "topology", to="hadamard"), "a power of two"),
    "scaling": (
        echo.regressor,
        set_at(*LAYER, "input_scaling", to=-1e308),
        "input_scaling must be",
    ),
    "features": (classifier, set_at("fitted", "n_features", to=0), "at least one feature; got 0"),
    "no features": (classifier, set_at("fitted", "n_features", to=None), "but the model None"),
    "smoothing": (
        classifier,
        set_at("fitted", "label_smoothing", to=1.0),
        "label_smoothing must be at least 0 and less than 1",
    ),
    "smoothing of numbers": (
        regressor,
        set_at("fitted", "label_smoothing", to=0.1),
        "label_smoothing",
    ),
    "config": (classifier, set_at("config", "beta", to=10**400), "config: beta must be"),
    "dtype": (classifier, set_at("fitted", "classes", "dtype", to="U99999999999"), "be of dtype"),
    "dtype of two": (classifier, set_at("fitted", "classes", "dtype", to="i8,i8"), "be of dtype"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_contents_out_of_range_are_refused(case, tmp_path):
    make, change, message = CONTENTS[case]
    path = save(make(), tmp_path / "m")
    with pytest.raises(ArtifactError, match=message):
        load(forged(path, change))


DESCRIBED = {
    "estimator": (classifier, set_at("estimator", to=3), "estimator: expected str; got 3"),
    "no config": (classifier, set_at("config", to=KeyError), "must have the entry 'config'"),
    "no width": (classifier, set_at("config", "n_features", to=KeyError), "entry 'n_features'"),
    "widths": (classifier, set_at("config", "hidden_layer_sizes", to=3), "expected list; got 3"),
    "scaffold": (classifier, set_at("scaffold", to=[]), "scaffold: expected dict"),
    "a layer": (classifier, set_at(*LAYER, to=3), "a layer of the scaffold must have the entry"),
    "shape": (classifier, set_at(*LAYER, "shape", to=[1, "a"]), "expected two integers"),
    "family": (classifier, set_at(*LAYER, "family", to=KeyError), "must have the entry 'topology'"),
    "classes": (classifier, set_at("fitted", "classes", to=[1]), "classes must have the entry"),
    "versions": (classifier, set_at("versions", to="1.0"), "versions: expected dict; got '1.0'"),
    "tasks": (gated, set_at("fitted", "other_scaffolds", to=[]), "as many scaffolds; got 1"),
    "penalty": (echo.regressor, set_at("fitted", "penalty", to="x"), "penalty: expected float"),
    "steps": (
        classifier,
        set_at("preprocessing", to={"steps": [1]}),
        "must have the entry 'class'",
    ),
    "table": (
        classifier, set_at("table", to={"target": "y", "columns": [1]}), "expected a list of pairs",
    ),
    "precision": (classifier, set_at("precision", to={"dtype": "float16"}), "'largest_error'"),
    "score": (
        classifier,
        set_at("precision", to={"dtype": "float16", "largest_error": 0.1, "score": 1.0}),
        "entry 'score_rounded'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DESCRIBED)
def test_a_description_without_its_parts_is_refused(case, tmp_path):
    make, change, message = DESCRIBED[case]
    path = save(make(), tmp_path / "m")
    with pytest.raises(ArtifactError, match=message) as caught:
        describe(forged(path, change))
    assert str(caught.value).startswith(str(tmp_path))


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("change", "start", "end"),
    [
        (set_at("params", "adapter", to=LONG), "params: adapter must be one of", "xxx'"),
        (set_at("config", "scaffold", to=LONG), "config: scaffold must be one of", "xxx'"),
        (
            set_at("scaffold", "layers", 0, "scale", to=LONG),
            "layer 'layers.0' of the scaffold",
            "}",
        ),
        (in_tensors(lambda t: t.update({LONG: t["head.bias"]})), "the file has an extra", ""),
    ],
)
def test_a_message_does_not_repeat_a_long_value(change, start, end, tmp_path):
    path = forged(save(classifier(), tmp_path / "m"), change)
    with pytest.raises(ArtifactError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {start}")
    assert message.endswith(end)
    assert len(message) <= 1_000


def test_a_tensor_that_is_no_beta_is_refused(tmp_path):
    def change(document, tensors):
        tensors["layers.0.beta"] = np.zeros((2, 2), np.float32)

    path = forged(save(classifier(), tmp_path / "m"), change)
    with pytest.raises(ArtifactError, match=r"tensor 'layers.0.beta' must have one entry"):
        describe(path)


@pytest.mark.parametrize(
    "change",
    [
        set_at("scaffold", to=3),
        set_at("scaffold", "layers", to={}),
        set_at(*LAYER, "digest", to=KeyError),
    ],
)
def test_attaching_to_a_document_without_digests_is_refused(change, tmp_path):
    model = classifier()
    path = forged(save(model, tmp_path / "m"), change)
    with pytest.raises(ArtifactError, match=str(path)):
        attach(model, path)


def test_files_of_what_is_allowed_are_loaded_as_before(tmp_path):
    for make in (classifier, regressor, gated):
        model = make()
        assert load(save(model, tmp_path / "m")).get_params() == model.get_params()
    assert strict_json.MAX_DEPTH > 16
    assert len(load(save(classifier(), tmp_path / "m")).predict(X)) == len(X)


@pytest.mark.host(reason="a file is read on the host")
def test_numbers_that_no_float_can_hold_are_refused(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
    model = ViTClassifier(width=8, depth=1, heads=2, random_state=0, max_iter=1)
    path = save(model.fit(images, np.arange(12) % 2), tmp_path / "m.safetensors")
    for part in ("params", "config"):
        contents = container.read(path)
        contents.document[part]["rank"] = 10**400
        container.write(tmp_path / "forged.safetensors", contents)
        with pytest.raises(ArtifactError, match="rank must be an integer of at most 2"):
            load(tmp_path / "forged.safetensors")


@pytest.mark.host(reason="a file is read on the host")
def test_a_number_of_channels_that_the_reader_does_not_have_is_refused(tmp_path):
    X = [np.random.default_rng(i).normal(size=(5, 2)) for i in range(8)]
    model = CfCClassifier(max_iter=1, random_state=0).fit(X, np.arange(8) % 2)
    path = save(model, tmp_path / "m.safetensors")
    contents = container.read(path)
    contents.document["fitted"]["n_features"] = 7
    container.write(path, contents)
    with pytest.raises(ArtifactError, match="reads 2 features, but the model 7"):
        load(path)
