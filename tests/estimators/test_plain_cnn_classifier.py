"""PlainCNNClassifier: fitting, files, checkpoints, side by side, searches, and bad input."""

import pickle
from itertools import count

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from target import assert_array_equal

from deepreservoir import (
    ArtifactError,
    PlainCNNClassifier,
    RankSearch,
    attach,
    export_onnx,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.training import checkpoint as checkpoints

QUICK = {
    "depth": 8,
    "width": 6,
    "rank": 2,
    "max_iter": 6,
    "batch_size": 32,
    "learning_rate_init": 0.02,
    "random_state": 0,
}
X, Y = load_digits(n_class=3, return_X_y=True)
X, Y = X.reshape(-1, 8, 8)[:200], np.array(["zero", "one", "two"])[Y[:200]]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
@pytest.mark.parametrize("residual", [False, True])
def test_it_fits_and_goes_on_after_loading(adapter, residual, tmp_path):
    model = PlainCNNClassifier(**QUICK, adapter=adapter, residual=residual, warm_start=True)
    model.fit(X, Y)
    if adapter != "none":
        assert model.score(X, Y) > 0.9
    loaded = load(save(model, tmp_path / "model.safetensors"))
    params = model.get_params()
    assert loaded.get_params() == params | {"device": loaded.device}
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for each in (model, loaded):
        each.fit(X, Y)
    assert_array_equal(loaded.network_.theta, model.network_.theta)
    assert_array_equal(loaded.network_.buffers, model.network_.buffers)


def test_the_same_seed_gives_the_same_bits_and_rows_are_images():
    model = PlainCNNClassifier(**QUICK, augmentation="crop").fit(X, Y)
    again = PlainCNNClassifier(**QUICK, augmentation="crop", image_shape=(8, 8))
    again.fit(X.reshape(-1, 64), Y)
    assert_array_equal(model.network_.theta, again.network_.theta)
    assert_array_equal(model.predict(X), again.predict(X.reshape(-1, 64)))


def test_attach_and_pickle(tmp_path):
    first, second = (PlainCNNClassifier(**QUICK | {"scaffold_seed": 3, "rank": r}) for r in (1, 2))
    first.fit(X, Y), second.fit(X, Y)
    path = save(second, tmp_path / "model.safetensors")
    assert_array_equal(attach(first, path).predict_proba(X), second.predict_proba(X))
    again = pickle.loads(pickle.dumps(second))
    assert_array_equal(again.predict_proba(X), second.predict_proba(X))


@pytest.mark.host(reason="checkpoints are files, and trainings that are interrupted")
def test_a_resumed_training_has_the_same_bits(tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def killed(self, progress):
        save_checkpoint(self, progress)
        if next(calls) == 9:
            raise Killed

    save_checkpoint, calls = checkpoints.Checkpoint.save, count(1)
    whole = PlainCNNClassifier(**QUICK, augmentation="crop").fit(X, Y)
    path = tmp_path / "training.checkpoint"
    model = PlainCNNClassifier(**QUICK, augmentation="crop")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", killed)
        with pytest.raises(Killed):
            model.fit(X, Y, checkpoint=path)
    resumed = PlainCNNClassifier(**QUICK, augmentation="crop").fit(X, Y, checkpoint=path)
    assert_array_equal(resumed.network_.theta, whole.network_.theta)
    assert_array_equal(resumed.network_.buffers, whole.network_.buffers)


def test_side_by_side_has_the_bits_of_alone():
    models = [
        PlainCNNClassifier(**QUICK | {"rank": rank, "adapter": adapter})
        for rank, adapter in ((1, "lora"), (2, "dora"))
    ]
    alone = [clone(model).fit(X, Y) for model in models]
    for together, one in zip(fit_many(models, X, Y), alone, strict=True):
        assert_array_equal(together.network_.theta, one.network_.theta)
    names = np.arange(len(X)) % 2
    predicted = predict_many(dict(enumerate(models)), X, names)
    expected = np.where(names == 0, alone[0].predict(X), alone[1].predict(X))
    assert_array_equal(predicted, expected)


def test_a_search_over_ranks():
    model = PlainCNNClassifier(**QUICK | {"max_iter": 3})
    search = RankSearch(model, eps=1.0, ranks=(1, 2), cv=2, n_seeds=1, random_state=0).fit(X, Y)
    assert search.rank_ == 1
    assert search.predict(X[:2]).shape == (2,)


def test_partial_fit_and_early_stopping():
    model = PlainCNNClassifier(**QUICK).partial_fit(X, Y, ["one", "two", "zero"])
    theta = model.network_.theta.copy()
    assert (model.partial_fit(X, Y).network_.theta != theta).any()
    stopped = PlainCNNClassifier(**QUICK, early_stopping=True).fit(X, Y)
    assert max(stopped.history_["validation_score"]) > 0.8


# Bad input ------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"depth": 10}, "depth must be 6 n"),
        ({"width": 0}, "width"),
        ({"residual": "yes"}, "residual"),
    ],
)
def test_wrong_parameters_are_named(params, words):
    with pytest.raises(ValueError, match=words):
        PlainCNNClassifier(**QUICK | params).fit(X, Y)


def test_a_large_rank_warns():
    with pytest.warns(UserWarning, match="rank must be between 1 and"):
        PlainCNNClassifier(**QUICK | {"rank": 9, "max_iter": 1}).fit(X, Y)


def test_images_of_another_size_are_refused():
    model = PlainCNNClassifier(**QUICK | {"max_iter": 1}).fit(X, Y)
    with pytest.raises(ValueError, match="as in fit"):
        model.predict(X[:, :7])


# ONNX ------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "params",
    [{}, {"adapter": "dora", "residual": True}, {"adapter": "full", "test_time_flip": True}],
)
def test_a_graph_for_onnx_predicts_the_same(dtype, params, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    images = X[..., None].astype(dtype)
    model = PlainCNNClassifier(**QUICK | {"max_iter": 2} | params).fit(images, Y)
    path = export_onnx(model, tmp_path / "model.onnx")
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    label, probabilities = session.run(None, {"X": images})
    np.testing.assert_allclose(probabilities, model.predict_proba(images), atol=1e-4)
    assert (label == model.predict(images)).mean() > 0.98


def test_steps_before_a_network_of_images_are_not_exported(tmp_path):
    pytest.importorskip("onnx")
    model = PlainCNNClassifier(**QUICK | {"max_iter": 1}, image_shape=(8, 8))
    pipeline = make_pipeline(StandardScaler(), model).fit(X.reshape(-1, 64), Y)
    with pytest.raises(ArtifactError, match="only the graph of a perceptron has steps before it"):
        export_onnx(pipeline, tmp_path / "model.onnx")
