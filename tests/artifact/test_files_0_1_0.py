"""Files of version 0.1.0: each is the model that it was, and what is newer has a stated value."""

import hashlib
import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from artifact_tools import forged, set_at
from sklearn.pipeline import Pipeline
from target import host

from deepreservoir import ArtifactError, container, load, save
from deepreservoir.models import ARCHITECTURES, from_plain

FOLDER = Path(__file__).parent / "files_0_1_0"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
ROWS, MODELS = np.array(EXPECTED["rows"]), EXPECTED["models"]
DEEP = [name for name, expected in MODELS.items() if "theta" in expected]
#: Those that were fitted on one task; they go on.
ONE_TASK = [name for name in DEEP if not name.startswith("seed_gated")]
every_file = pytest.mark.parametrize("name", MODELS)


def file_of(name):
    return FOLDER / f"{name}.safetensors"


def estimator_of(model):
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def outputs_of(model):
    """Return what `expected.json` has of a model: of several tasks, of the first."""
    estimator = estimator_of(model)
    if hasattr(estimator, "tasks_"):
        return model.predict_proba(ROWS, estimator.tasks_.tolist()[0])
    return (model.predict_proba if hasattr(estimator, "classes_") else model.predict)(ROWS)


def assert_outputs(model, expected):
    # Bits of products differ between machines. Reservoirs compute in their own type.
    single = not hasattr(estimator_of(model), "network_") and estimator_of(model).dtype == "float32"
    tolerance = 1e-5 if single else 1e-9
    np.testing.assert_allclose(outputs_of(model), expected, rtol=tolerance, atol=tolerance)


def test_every_file_is_expected_and_every_one_is_there():
    assert sorted(path.name.removesuffix(".safetensors") for path in FOLDER.glob("*.s*")) == sorted(
        MODELS
    )
    assert len(DEEP) == 17


@every_file
def test_a_file_gives_its_parameters(name):
    model = estimator_of(load(file_of(name)))
    params = {key: repr(value) for key, value in model.get_params(deep=False).items()}
    params["device"] = MODELS[name]["params"]["device"]  # the reader's choice, not the file's
    newer = {key: repr(value) for key, value in getattr(model, "absent_parameters", {}).items()}
    then = dict(MODELS[name]["params"])
    if then.get("bias") == "'auto'":
        then["bias"] = "'paper'"  # the same rule under its present name
    assert params == newer | then


@pytest.mark.parametrize("name", DEEP)
def test_what_was_trained_has_its_bits(name):
    theta = host(estimator_of(load(file_of(name))).network_.theta)
    assert hashlib.sha256(theta.tobytes()).hexdigest() == MODELS[name]["theta"]


@pytest.mark.host(reason="outputs were recorded on the CPU, in float64")
@every_file
def test_outputs_are_those_of_then(name):
    assert_outputs(load(file_of(name)), MODELS[name]["outputs"])


@pytest.mark.host(reason="outputs were recorded on the CPU, in float64")
@every_file
def test_a_file_that_is_written_again_is_the_same_model(name, tmp_path):
    again = load(save(load(file_of(name)), tmp_path / "again.safetensors"))
    assert_outputs(again, MODELS[name]["outputs"])
    if name in DEEP:
        theta = host(estimator_of(again).network_.theta)
        assert hashlib.sha256(theta.tobytes()).hexdigest() == MODELS[name]["theta"]


@pytest.mark.parametrize("name", ONE_TASK)
def test_training_goes_on_from_what_was_trained(name):
    model = load(file_of(name))
    estimator = estimator_of(model)
    network, before = estimator.network_, host(estimator.network_.theta.copy())
    if hasattr(estimator, "classes_"):
        y = estimator.classes_[np.arange(len(ROWS)) % len(estimator.classes_)]
    else:
        y = np.array(MODELS[name]["outputs"])
    estimator.set_params(warm_start=True, max_iter=1, learning_rate_init=1e-6)
    model.fit(ROWS, y)
    assert estimator.network_ is network
    after = host(network.theta)
    assert (after != before).any()
    np.testing.assert_allclose(after, before, atol=1e-5)


# What is newer ------------------------------------------------------------


@every_file
def test_newer_parameters_and_fields_say_what_they_were(name):
    document = container.read(file_of(name)).document
    model = estimator_of(load(file_of(name)))
    newer = set(model.get_params(deep=False)) - set(MODELS[name]["params"]) - {"device"}
    assert newer <= set(getattr(model, "absent_parameters", {}))
    assert newer == set(model.get_params(deep=False)) - set(document["params"]) - {"device"}
    if name in DEEP:
        config = type(model.network_.config)
        assert config is ARCHITECTURES["mlp"]
        known = {field.name for field in fields(config) if field.init}
        assert known - set(document["config"]) <= set(config.absent)


def copied(tmp_path):
    return Path(shutil.copy(file_of("classifier"), tmp_path))


def test_a_field_that_a_file_lacks_has_the_value_of_the_versions_before(tmp_path, monkeypatch):
    path = copied(tmp_path)
    lacking = set_at("config", "dropout", to=KeyError)
    with pytest.raises(ArtifactError, match="the field 'dropout' of the architecture 'mlp' is mi"):
        load(forged(path, lacking))
    monkeypatch.setattr(ARCHITECTURES["mlp"], "absent", {"dropout": 0.125})
    assert load(forged(path, lacking)).network_.config.dropout == 0.125
    assert load(path).network_.config.dropout == 0.0  # what a file says, it says


def test_a_parameter_that_a_file_lacks_has_the_value_of_the_versions_before(tmp_path, monkeypatch):
    path = copied(tmp_path)
    lacking = set_at("params", "tol", to=KeyError)
    with pytest.raises(ArtifactError, match="parameter 'tol' of DeepReservoirClassifier is missin"):
        load(forged(path, lacking))
    model = type(load(path))
    monkeypatch.setattr(model, "absent_parameters", {**model.absent_parameters, "tol": 0.5})
    assert load(forged(path, lacking)).tol == 0.5
    assert load(path).tol == 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            set_at("config", "colour", to=1),
            "the architecture 'mlp' has no field 'colour'; the file was",
        ),
        (
            set_at("params", "colour", to=1),
            "DeepReservoirClassifier has no parameter 'colour'; the file",
        ),
    ],
    ids=["field", "parameter"],
)
def test_what_is_unknown_is_refused_by_name(change, message, tmp_path):
    with pytest.raises(ArtifactError, match=message):
        load(forged(copied(tmp_path), change))


def test_a_configuration_of_then_names_no_architecture_and_is_a_perceptron():
    config = container.read(file_of("classifier")).document["config"]
    assert "architecture" not in config
    assert from_plain(config) == load(file_of("classifier")).network_.config
