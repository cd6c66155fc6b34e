"""Files of an architecture that keeps statistics and is in no file of the package."""

import json

import numpy as np
import pytest
from target import assert_array_equal, host
from toy_architecture import ToySeedGatedClassifier, ToyStatistics, ToyStatisticsClassifier
from training_tools import X, Y

from deepreservoir import ArtifactError, attach, container, load, save
from deepreservoir.models import ARCHITECTURES, from_plain

TASKS = np.array(["a", "b"])[np.arange(len(Y)) % 3 // 2]
PARAMS = {"max_iter": 3, "batch_size": 16, "random_state": 0}


def fitted(**params):
    return ToyStatisticsClassifier(**PARAMS | params).fit(X, Y)


def gated():
    return ToySeedGatedClassifier(**PARAMS).fit(X, Y, TASKS)


@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16"])
def test_a_loaded_model_has_the_buffers_bit_for_bit(dtype, tmp_path):
    model = fitted()
    path = save(model, tmp_path / "m.safetensors", dtype=dtype)
    found = load(path)
    assert type(found) is ToyStatisticsClassifier
    assert_array_equal(found.network_.buffers, model.network_.buffers)
    # What is trained is rounded, where that was asked for; so the buffers could have been.
    assert np.array_equal(host(found.network_.theta), host(model.network_.theta)) == (dtype is None)
    contents = container.read(path)
    kept = {name: contents.kept_as(name) for name in contents.tensors}
    assert kept["layers.0.centred.mean"] == kept["layers.0.centred.count"] == "float32"
    assert kept["layers.0.A"] == kept["head.weight"] == (dtype or "float32")
    if dtype is None:
        np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("dtype", [None, "float16"])
def test_every_task_has_its_own_in_the_file(dtype, tmp_path):
    model = gated()
    path = save(model, tmp_path / "m.safetensors", dtype=dtype)
    found = load(path)
    buffers = [host(network.buffers) for network in model.networks_.values()]
    assert not np.array_equal(*buffers)
    for name, own in zip(model.tasks_.tolist(), buffers, strict=True):
        assert_array_equal(found.networks_[name].buffers, own)
    names = set(container.read(path).tensors)
    assert {"layers.0.centred.mean", "task.1.layers.0.centred.mean"} <= names
    if dtype is None:
        np.testing.assert_array_equal(found.predict_proba(X, TASKS), model.predict_proba(X, TASKS))


def test_attached_models_have_their_own(tmp_path):
    base, other = fitted(scaffold_seed=5), fitted(scaffold_seed=5, learning_rate_init=0.1)
    found = attach(base, save(other, tmp_path / "m.safetensors"))
    assert found.network_.scaffolds["layers.0"] is base.network_.scaffolds["layers.0"]
    assert_array_equal(found.network_.buffers, other.network_.buffers)
    np.testing.assert_array_equal(found.predict_proba(X), other.predict_proba(X))


def test_a_loaded_model_goes_on_from_its_buffers(tmp_path):
    model = fitted()
    found = load(save(model, tmp_path / "m.safetensors"))
    for one in (model, found):
        one.set_params(warm_start=True, max_iter=1).fit(X, Y)
    assert_array_equal(found.network_.buffers, model.network_.buffers)
    assert host(found.network_.buffers)[-1] == 4 * 5  # five batches an epoch


def rewritten(path, change):
    contents = container.read(path)
    document, tensors = json.loads(json.dumps(contents.document)), dict(contents.tensors)
    change(document, tensors)
    container.write(path, container.Contents(document, tensors, {}))
    return path


MEAN = "layers.0.centred.mean"
REFUSED = {
    "missing": (lambda d, t: t.pop(MEAN), f"has no tensor '{MEAN}'"),
    "shape": (lambda d, t: t.update({MEAN: t[MEAN][:3]}), rf"'{MEAN}' must have shape \(8,\)"),
    "type": (lambda d, t: t.update({MEAN: t[MEAN].astype("f8")}), f"'{MEAN}' must be float32; got"),
    "architecture": (
        lambda d, t: d["config"].update(architecture="other"),
        "the architecture 'other' is not registered; the registered ones are .*toy_statistics",
    ),
    "another's": (
        lambda d, t: d.update(config=dict(from_plain(PLAIN_MLP).to_plain())),
        "a ToyStatisticsClassifier has a network of the architecture 'toy_statistics'; the network "
        "in the file is of the architecture 'mlp'",
    ),
}
PLAIN_MLP = ARCHITECTURES["mlp"](n_features=6, n_outputs=3).to_plain()


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_says_something_else_is_refused(case, tmp_path):
    change, message = REFUSED[case]
    path = rewritten(save(fitted(), tmp_path / "m.safetensors"), change)
    with pytest.raises(ArtifactError, match=message):
        load(path)


def test_statistics_in_sixteen_bits_are_refused(tmp_path):
    path = save(fitted(), tmp_path / "m.safetensors")
    contents = container.read(path)
    container.write(
        path, container.Contents(contents.document, contents.tensors, {MEAN: "float16"})
    )
    with pytest.raises(ArtifactError, match=f"tensor '{MEAN}' must be float32; got float16"):
        load(path)


def test_the_other_task_s_statistics_must_be_there(tmp_path):
    def without(document, tensors):
        del tensors[f"task.1.{MEAN}"]

    path = rewritten(save(gated(), tmp_path / "m.safetensors"), without)
    with pytest.raises(ArtifactError, match=f"has no tensor 'task.1.{MEAN}'"):
        load(path)


def test_where_the_estimator_is_not_registered_the_file_says_how(tmp_path, monkeypatch):
    from deepreservoir.estimators import ESTIMATORS

    path = save(fitted(), tmp_path / "m.safetensors")
    monkeypatch.delitem(ESTIMATORS, "ToyStatisticsClassifier")
    message = "contains a 'ToyStatisticsClassifier', which is not registered; .*Import the pack"
    with pytest.raises(ArtifactError, match=message):
        load(path)
    monkeypatch.setitem(ESTIMATORS, "ToyStatisticsClassifier", ToyStatisticsClassifier)
    monkeypatch.delitem(ARCHITECTURES, "toy_statistics")
    message = "the architecture 'toy_statistics' is not registered; .*@architecture"
    with pytest.raises(ArtifactError, match=message):
        load(path)


def test_the_file_names_its_architecture_and_reader(tmp_path):
    document = container.read(save(fitted(), tmp_path / "m.safetensors")).document
    assert document["config"]["architecture"] == "toy_statistics"
    assert document["reader"] == {"n_features": 6}
    assert isinstance(from_plain(document["config"]), ToyStatistics)
