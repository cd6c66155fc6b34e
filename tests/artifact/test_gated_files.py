"""Seed-gated models to files and back: one adapter, one seed per task."""

import numpy as np
import pytest
from artifact_tools import (
    CLASSES,
    TASKS,
    X,
    classifier,
    forged,
    gated,
    in_tensors,
    set_at,
    told,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from target import host

from deepreservoir import ArtifactError, SeedGatedClassifier, attach, container, load, save
from deepreservoir.artifact.summary import describe

PARAMS = [
    {},
    {"out_of_class": None, "scaffold_seeds": {"a": 42, "b": 43, "c": 10**30}},
    {"scaffold": "orthogonal", "adapter": "dora"},
    {"scaffold": "spectral_radius", "scaffold_scale": 0.7},
    {"scaffold": "hadamard", "head": "lora+bias", "rank": 2},
    {"scaffold": "binary", "storage": "packed"},
    {"storage": "streamed", "dtype": "float64", "early_stopping": True},
]


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_a_loaded_model_is_the_saved_one_bit_for_bit(params, tmp_path):
    model = gated(**params)
    found = load(save(model, tmp_path / "m.safetensors"))
    assert type(found) is SeedGatedClassifier
    assert told(found) == told(model)
    np.testing.assert_array_equal(found.predict_proba(X, TASKS), model.predict_proba(X, TASKS))
    np.testing.assert_array_equal(found.predict(X, "c"), model.predict(X, "c"))
    np.testing.assert_array_equal(host(found.network_.theta), host(model.network_.theta))
    for name, network in model.networks_.items():
        assert found.networks_[name].digests() == network.digests()
        assert found.networks_[name].theta is found.network_.theta
        np.testing.assert_array_equal(found.task_classes_[name], model.task_classes_[name])
    for name in ("scaffold_seeds_", "n_features_in_", "betas_", "n_scaffold_params_", "n_iter_"):
        assert getattr(found, name) == getattr(model, name), name
    np.testing.assert_array_equal(found.tasks_, model.tasks_)
    one = (tmp_path / "m.safetensors").read_bytes()
    assert save(found, tmp_path / "again.safetensors").read_bytes() == one


def test_names_of_tasks_keep_their_kind(tmp_path):
    halves = np.arange(90) // 45
    for names in (np.arange(90) // 30, halves / 2, halves == 0):
        model = SeedGatedClassifier((8,), max_iter=2, random_state=0).fit(X, CLASSES, names)
        found = load(save(model, tmp_path / "m.safetensors"))
        assert found.tasks_.dtype == model.tasks_.dtype
        assert found.scaffold_seeds_ == model.scaffold_seeds_
        np.testing.assert_array_equal(found.predict(X, names), model.predict(X, names))


def test_one_task_is_saved_too(tmp_path):
    model = SeedGatedClassifier((8,), max_iter=2, random_state=0).fit(X, CLASSES)
    found = load(save(model, tmp_path / "m.safetensors", dtype="float16", X=X, y=CLASSES))
    assert found.predict(X).shape == (90,)
    assert container.read(tmp_path / "m.safetensors").document["precision"]["rows"] == 90


def test_a_pipeline_comes_back_as_one(tmp_path):
    model = make_pipeline(StandardScaler(), SeedGatedClassifier((8,), max_iter=2, random_state=0))
    model.fit(X * 4 + 1, CLASSES, seedgatedclassifier__task=TASKS)
    found = load(save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(found.predict(X, task=TASKS), model.predict(X, task=TASKS))


def test_adapter_and_seeds_are_all_that_a_file_holds(tmp_path):
    model = gated(hidden_layer_sizes=(256, 128))
    contents = container.read(save(model, tmp_path / "m.safetensors"))
    assert sum(a.size for a in contents.tensors.values()) == model.n_trained_params_
    sizes = [
        save(model, tmp_path / f"{dtype}", dtype=dtype).stat().st_size
        for dtype in (None, "float16")
    ]
    assert sizes[0] - sizes[1] == pytest.approx(2 * model.n_trained_params_, abs=200)


def test_a_reader_is_shown_tasks_seeds_and_digests(tmp_path):
    model = gated(scaffold_seeds={"a": 42, "b": 43, "c": 44})
    path = save(model, tmp_path / "m.safetensors")
    lines = [f"{what} {how}" for what, how in describe(path)]
    assert "tasks a, b, c" in lines
    assert "classes no, none, perhaps, yes" in lines
    for name, seed in model.scaffold_seeds_.items():
        assert f"seed {seed} of task {name} (streams of version 1)" in lines
        for digest in model.networks_[name].digests().values():
            assert any(digest in line for line in lines)
    (numbers,) = [line for line in lines if line.startswith("trained")]
    assert f"{model.n_scaffold_params_:,} frozen weights" in numbers


# Refused --------------------------------------------------------------------------------------


def test_what_a_file_of_tasks_cannot_be_asked_for(tmp_path):
    model = gated(scaffold_seeds={"a": 42, "b": 43, "c": 44})
    path = tmp_path / "m.safetensors"
    with pytest.raises(ArtifactError, match="measured on rows of one task"):
        save(model, path, dtype="float16", X=X, y=CLASSES)
    assert not path.exists()
    save(model, path)
    base = classifier(scaffold_seed=42)
    with pytest.raises(
        ArtifactError, match="has one scaffold per task, so it cannot be attached to one; load it"
    ):
        attach(base, path)
    with pytest.raises(ArtifactError, match="3 layers of 10,000 bytes for each of 3 tasks"):
        load(path, max_bytes=100_000)  # each scaffold alone would be allowed


OTHERS = ("fitted", "other_scaffolds")
WIDE = [10**4, 10**4]
REFUSED = {
    "no tasks": (set_at("fitted", "tasks", to=KeyError), "fitted must have the entries"),
    "tasks type": (set_at("fitted", "tasks", to=["a", "b", "c"]), "tasks: expected dict"),
    "tasks twice": (set_at("fitted", "tasks", "values", to=["a", "a", "b"]), "sorted and distinct"),
    "fewer": (set_at("fitted", "tasks", "values", to=["a", "b"]), "2 tasks must have as many"),
    "more": (set_at(*OTHERS, to=[]), "3 tasks must have as many scaffolds; got 1"),
    "scaffold": (set_at(*OTHERS, 0, to=7), "scaffold must have the entries"),
    "scaffold type": (set_at(*OTHERS, to={}), "other_scaffolds: expected list"),
    "stream": (set_at(*OTHERS, 1, "stream", to=2), "streams of version 2"),
    "seed": (set_at(*OTHERS, 1, "seed", to=77), "'layers.0' are not those of the saved model"),
    "negative seed": (set_at(*OTHERS, 0, "seed", to=-1), "seed of a scaffold must not be negative"),
    "digest": (
        set_at(*OTHERS, 1, "layers", 1, "digest", to="00"),
        "layer 'layers.1' are not those of the saved model: expected digest 00, got",
    ),
    "layers": (set_at(*OTHERS, 1, "layers", to=[]), "must have the layers"),
    "shape": (set_at(*OTHERS, 0, "layers", 0, "shape", to=[1, 1]), "does not match the conf"),
    "task classes": (set_at("fitted", "task_classes", to=[[0]]), "those of 3 tasks; got 1"),
    "task class": (set_at("fitted", "task_classes", 0, to=[4]), "some of the model's 4, sorted"),
    "task class order": (set_at("fitted", "task_classes", 0, to=[1, 0]), "sorted"),
    "task class type": (set_at("fitted", "task_classes", 0, to=[True]), "some of the model's 4"),
    "no task class": (set_at("fitted", "task_classes", 0, to=[]), "some of the model's 4"),
    "zero": (set_at("config", "scaffold", to="zero"), "does not match|no frozen weights"),
    "missing": (in_tensors(lambda t: t.pop("layers.0.A")), "has no tensor 'layers.0.A'"),
    "terabytes": (
        set_at("config", "hidden_layer_sizes", to=WIDE),
        r"needs 1,20\d,.* bytes for its 3 scaffolds; max_bytes allows 1,000,000,000",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_says_something_else_is_refused(case, tmp_path):
    change, message = REFUSED[case]
    path = save(gated(), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=message) as caught:
        load(forged(path, change), max_bytes=10**9)
    assert str(caught.value).startswith(str(tmp_path))


def test_two_tasks_on_one_seed_are_refused(tmp_path):
    path = save(gated(), tmp_path / "m.safetensors")

    def repeated(document, tensors):
        document["fitted"]["other_scaffolds"][0] = document["scaffold"]

    with pytest.raises(ArtifactError, match="each task must have a seed of its own"):
        load(forged(path, repeated))


def test_tasks_without_frozen_weights_are_refused(tmp_path):
    path = save(gated(), tmp_path / "m.safetensors")

    def unfrozen(document, tensors):
        document["config"]["adapter"] = "full"
        for scaffold in (document["scaffold"], *document["fitted"]["other_scaffolds"]):
            scaffold["layers"] = []

    with pytest.raises(ArtifactError, match="no frozen weights to distinguish them by"):
        load(forged(path, unfrozen))
