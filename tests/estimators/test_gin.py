"""GINClassifier and GINRegressor: fitting on lists of graphs, files, searches, and bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from deepreservoir import (
    ArtifactError,
    GINClassifier,
    GINRegressor,
    Graph,
    RankSearch,
    attach,
    export_onnx,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.analysis import cost_of
from deepreservoir.training import checkpoint as checkpoints

pytestmark = pytest.mark.host(reason="sparse matrices of cupyx are not part of the stand-in")

QUICK = {
    "width": 12,
    "depth": 2,
    "rank": 2,
    "max_iter": 25,
    "learning_rate_init": 0.02,
    "dropout": 0.0,
    "batch_size": 16,
    "random_state": 0,
}


def ring(n):
    ones = np.ones((n, 2), int)
    return Graph.undirected(ones, [np.arange(n), np.roll(np.arange(n), -1)], np.zeros((n, 1), int))


def star(n):
    attr = np.arange(n - 1)[:, None] % 2
    return Graph.undirected(np.ones((n, 2), int), [np.zeros(n - 1, int), np.arange(1, n)], attr)


X = [shape(n) for n in range(4, 34) for shape in (ring, star)]
Y = np.array(["ring", "star"] * 30)
LONE = Graph(np.ones((1, 2), int), [[], []], np.empty((0, 1), int))
NOTHING = Graph(np.empty((0, 2), int), [[], []], np.empty((0, 1), int))


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_it_fits_with_weights_and_goes_on_after_loading(adapter, tmp_path):
    model = GINClassifier(**QUICK, adapter=adapter, class_weight="balanced", warm_start=True)
    model.fit(X, Y, sample_weight=1.0 + (Y == "star"))
    if adapter != "none":
        assert model.score(X, Y) > 0.9
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert loaded.get_params() == model.get_params()
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for each in (model, loaded):
        each.fit(X, Y)
    assert_array_equal(loaded.network_.theta, model.network_.theta)
    assert_array_equal(loaded.network_.buffers, model.network_.buffers)


def test_a_prediction_does_not_depend_on_the_other_graphs():
    model = GINClassifier(**QUICK, dtype="float64").fit(X, Y)
    p = model.predict_proba([*X, LONE, NOTHING])
    assert np.isfinite(p).all()
    np.testing.assert_allclose(model.predict_proba(X[7:8]), p[7:8], rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba([NOTHING]), p[-1:], rtol=1e-12)


def test_numbers_as_features_and_no_features_of_edges():
    rng = np.random.default_rng(0)
    means = 2 * rng.standard_normal(60)
    graphs = [
        Graph(rng.standard_normal((graph.n_nodes, 2)) + mean, graph.edges)
        for graph, mean in zip(X, means, strict=True)
    ]
    y = np.array([graph.x[:, 0].mean() for graph in graphs])
    model = GINRegressor(**QUICK).fit(graphs, y)
    assert model.score(graphs, y) > 0.5
    weighted = [Graph(g.x, g.edges, np.ones((g.n_edges, 1))) for g in graphs]
    assert GINRegressor(**QUICK).fit(weighted, y).predict(weighted).shape == (60,)
    two = GINRegressor(**QUICK, pooling="sum").fit(graphs, np.stack([y, -y], axis=1))
    assert two.predict(graphs[:3]).shape == (3, 2)


@pytest.mark.slow
def test_searches_folds_and_pickles():
    model = GINClassifier(**QUICK)
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    assert cross_val_score(model, X, Y, cv=cv).mean() > 0.8
    search = RankSearch(model, eps=1.0, ranks=(1, 2), cv=2, n_seeds=1, random_state=0).fit(X, Y)
    assert search.rank_ == 1
    assert search.pca_components_ is None  # graphs are no vectors
    assert search.predict(X[:2]).shape == (2,)
    grid = GridSearchCV(model, {"width": [8, 12]}, cv=2).fit(X, Y)
    again = pickle.loads(pickle.dumps(grid.best_estimator_))
    assert_array_equal(again.predict_proba(X), grid.predict_proba(X))


def test_side_by_side_has_the_bits_of_alone(tmp_path):
    models = [
        GINClassifier(**QUICK | {"rank": rank, "adapter": adapter, "dropout": 0.2})
        for rank, adapter in ((1, "lora"), (2, "dora"))
    ]
    alone = [clone(model).fit(X, Y) for model in models]
    for together, one in zip(fit_many(models, X, Y), alone, strict=True):
        assert_array_equal(together.network_.theta, one.network_.theta)
    names = np.arange(60) % 2
    predicted = predict_many(dict(enumerate(models)), X, names)
    expected = np.where(names == 0, alone[0].predict(X), alone[1].predict(X))
    assert_array_equal(predicted, expected)
    path = save(alone[1], tmp_path / "model.safetensors")
    assert_array_equal(attach(alone[0], path).predict(X), alone[1].predict(X))


def test_early_stopping_by_the_area_under_the_roc():
    model = GINClassifier(**QUICK, early_stopping=True, scoring="roc_auc", validation_fraction=0.3)
    model.fit(X, Y)
    assert max(model.history_["validation_score"]) > 0.9
    with pytest.raises(ValueError, match="scoring must be one of"):
        clone(model).set_params(scoring="f1").fit(X, Y)
    with pytest.raises(ValueError, match="for two classes; got 3 classes"):
        clone(model).fit(X, np.arange(60) % 3)


def test_partial_fit_and_costs():
    model = GINClassifier(**QUICK).partial_fit(X, Y, ["ring", "star"])
    theta = model.network_.theta.copy()
    assert (model.partial_fit(X, Y).network_.theta != theta).any()
    cost = cost_of(model, rows=100, epochs=2)  # nodes
    assert cost.n_frozen == 2 * 2 * 12 * 24
    assert cost.n_trained == model.n_trained_params_
    config = model.network_.config
    assert cost.n_dense == config.fully_trained().n_params
    assert cost.counted.full_prediction == 100 * (2 * 2 * 12 * 24 + 12)


def test_an_export_to_onnx_is_refused(tmp_path):
    model = GINClassifier(**QUICK).fit(X, Y)
    with pytest.raises(ArtifactError, match="architecture 'gin', whose layers are not all dense"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


# Bad input ------------------------------------------------------------


def test_codes_that_were_not_there_in_fit():
    model = GINClassifier(**QUICK).fit(X, Y)
    other = Graph(np.array([[1, 1], [1, 2]]), [[0], [1]], [[0]])
    message = (
        r"column 1 of the node features must be from 0 to 1; node 1 of X\[1\] has 2. "
        "Set node_categories"
    )
    with pytest.raises(ValueError, match=message):
        model.predict([X[0], other])
    wider = GINClassifier(**QUICK, node_categories=(2, 5), edge_categories=[2]).fit(X, Y)
    assert wider.predict([other]).shape == (1,)
    assert wider.network_.config.node_categories == (2, 5)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (X[0], "list of deepreservoir.Graph; got a Graph. For one graph, pass"),
        ([], "at least one graph"),
        ([*X[:59], np.eye(2)], r"X\[59\] is a ndarray"),
        (
            [*X[:59], Graph(np.ones((2, 3), int), [[], []])],
            r"X\[59\] has 3 columns of integer codes",
        ),
        ([*X[:59], Graph(np.ones((2, 2)), [[], []])], r"X\[59\] has 2 numbers per node"),
        ([*X[:59], Graph(np.ones((2, 2), int), [[0], [1]])], r"X\[59\] has no edge features"),
    ],
)
def test_wrong_samples_are_named(samples, words):
    with pytest.raises(ValueError, match=words):
        GINClassifier(**QUICK).fit(samples, Y[: max(1, len(samples))] if samples != X[0] else Y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y[:5], r"one row for each of 60 graphs; got shape \(5,\)"),
        (np.where(np.arange(60) == 3, 0.5, 1.0), r"class labels.*y\[3\] is .*0\.5"),
    ],
)
def test_wrong_labels_are_named(y, words):
    with pytest.raises(ValueError, match=words):
        GINClassifier(**QUICK).fit(X, y)


def test_wrong_targets_and_parameters_are_named():
    with pytest.raises(ValueError, match="y contains NaN"):
        GINRegressor(**QUICK).fit(X, np.where(np.arange(60) == 3, np.nan, 1.0))
    with pytest.raises(ValueError, match=r"node_categories must be 'auto' or.*got 'all'"):
        GINClassifier(node_categories="all").fit(X, Y)
    for wrong in ((), (0, 3), (3.0,)):
        with pytest.raises(ValueError, match=r"node_categories must be 'auto' or"):
            GINClassifier(node_categories=wrong).fit(X, Y)
    with pytest.raises(ValueError, match="pooling"):
        GINClassifier(pooling="median").fit(X, Y)
    with pytest.raises(ValueError, match=r"between 1 and .* = 12 for layers\.0\.a"):
        GINClassifier(**QUICK | {"rank": 13}).fit(X, Y)


def test_samples_to_predict_are_checked_as_those_of_fit():
    model = GINClassifier(**QUICK).fit(X, Y)
    for other, words in (
        (Graph(np.ones((2, 3), int), [[0], [1]], [[0]]), "got 3 columns of integer codes per node"),
        (Graph(np.ones((2, 2)), [[0], [1]], [[0]]), "got 2 numbers per node"),
        (Graph(np.ones((2, 2), int), [[0], [1]]), "got no edge features"),
    ):
        with pytest.raises(ValueError, match=rf"X\[0\] must have .*as in fit; {words}"):
            model.predict([other])


class _Killed(Exception):
    pass


@pytest.mark.parametrize("options", [{}, {"adapter": "dora"}, {"early_stopping": True}], ids=str)
def test_a_killed_training_goes_on_to_the_same_bits(options, tmp_path, monkeypatch):
    params = QUICK | {"dropout": 0.3, "max_iter": 6} | options
    whole, path = GINClassifier(**params).fit(X, Y), tmp_path / "checkpoint"
    saved = []

    def save_and_die(self, progress, save=checkpoints.Checkpoint.save):
        save(self, progress)
        saved.append(progress)
        if len(saved) == 7:  # in the middle of an epoch
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", save_and_die)
        with pytest.raises(_Killed):
            GINClassifier(**params).fit(X, Y, checkpoint=path)
    assert path.exists()
    again = GINClassifier(**params).fit(X, Y, checkpoint=path)
    assert not path.exists()
    assert_array_equal(again.network_.theta, whole.network_.theta)
    assert_array_equal(again.network_.buffers, whole.network_.buffers)
    assert again.loss_curve_ == whole.loss_curve_


def test_numbers_that_are_too_large_for_single_precision_are_refused():
    graphs = [Graph(np.full((3, 2), float(i % 2)), [[0], [1]]) for i in range(20)]
    model = GINClassifier(**QUICK).fit(graphs, np.arange(20) % 2)
    huge = [Graph(np.full((3, 2), 1e39), [[0], [1]])]
    for predict in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="too large for float32; divide them by a constant"):
            predict(huge)
    with pytest.raises(ValueError, match="too large for float32"):
        GINRegressor(**QUICK).fit(huge * 4, np.arange(4.0))


@pytest.mark.parametrize("kind", ["numbers", "codes"])
def test_graphs_without_edges_need_no_features_of_edges(kind):
    attr = np.ones((2, 1)) if kind == "numbers" else np.array([[1], [2]])
    many = [Graph(np.full((3, 1), i % 2 + 0.5), [[0, 1], [1, 2]], attr) for i in range(12)]
    alone = Graph(np.ones((1, 1)), np.empty((2, 0), int))
    model = GINClassifier(**QUICK).fit([alone, *many], np.arange(13) % 2)
    explicit = Graph(alone.x, alone.edges, attr[:0])
    expected = model.predict_proba([explicit, many[0]])
    assert_array_equal(model.predict_proba([alone, many[0]]), expected)
    assert_array_equal(model.predict_proba([alone]), model.predict_proba([explicit]))
    with pytest.raises(ValueError, match=r"X\[0\] must have .* per edge"):
        model.predict([Graph(np.ones((2, 1)), [[0], [1]])])
