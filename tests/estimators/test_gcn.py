"""GCNClassifier: fitting on a graph, unlabelled nodes, files, searches, and bad input."""

import numpy as np
import pytest
import scipy.sparse
import sklearn
from graph_tools import two_groups
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from deepreservoir import (
    GCNClassifier,
    Nodes,
    RankSearch,
    attach,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.analysis import cost_of
from deepreservoir.training import checkpoint as checkpoints

pytestmark = pytest.mark.host(reason="sparse matrices of cupyx are not part of the stand-in")

A, Y = two_groups()
X = np.random.default_rng(1).standard_normal((80, 12)) + Y[:, None]
KNOWN = np.where(np.arange(80) % 4 == 0, Y, -1)
QUICK = {
    "hidden_layer_sizes": (16,),
    "rank": 1,
    "max_iter": 60,
    "learning_rate_init": 0.03,
    "dropout": 0.1,
    "random_state": 0,
}


def fitted(**params):
    return GCNClassifier(**QUICK | params).fit(X, KNOWN, adjacency=A)


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_it_learns_from_some_labels_and_goes_on_after_loading(adapter, tmp_path):
    model = fitted(adapter=adapter, warm_start=True, class_weight="balanced")
    if adapter != "none":
        assert model.score(X, Y, adjacency=A) > 0.85
    assert model.classes_.tolist() == [0, 1]
    loaded = load(save(model, tmp_path / "model.safetensors"))
    p = model.predict_proba(X, A)
    assert_array_equal(loaded.predict_proba(X, adjacency=A), p)
    assert_allclose(p.sum(axis=1), 1)
    for each in (model, loaded):
        each.fit(X, KNOWN, adjacency=A)
    assert_array_equal(loaded.network_.theta, model.network_.theta)


def test_the_ways_to_give_a_graph_are_one(tmp_path):
    expected = fitted()
    labels = np.flatnonzero(KNOWN >= 0)
    nodes = Nodes(X, A)
    for model in (
        GCNClassifier(**QUICK).fit(nodes, KNOWN),
        GCNClassifier(**QUICK).fit(nodes[labels], Y[labels]),
        GCNClassifier(**QUICK).fit(X.tolist(), KNOWN.tolist(), adjacency=A.toarray()),
        GCNClassifier(**QUICK).fit(X, KNOWN[:, None], adjacency=scipy.sparse.coo_array(A)),
    ):
        assert_array_equal(model.network_.theta, expected.network_.theta)
    assert_array_equal(expected.predict(nodes[[3, 70]]), expected.predict(X, A)[[3, 70]])
    sparse = GCNClassifier(**QUICK).fit(scipy.sparse.csr_array(X), KNOWN, adjacency=A)
    assert_allclose(sparse.predict_proba(X, A), expected.predict_proba(X, A), atol=2e-3)


def test_features_of_few_words_stay_sparse():
    words = scipy.sparse.random(80, 400, 0.01, random_state=0, format="csr")
    dense, sparse = (
        GCNClassifier(**QUICK).fit(x, KNOWN, adjacency=A) for x in (words.toarray(), words)
    )
    assert scipy.sparse.issparse(sparse._inputs(Nodes(words, A))._x)
    assert_allclose(dense.network_.theta, sparse.network_.theta, atol=2e-3)


def test_neighbours_are_read():
    model = fitted(max_iter=60)
    lone = scipy.sparse.csr_matrix((80, 80))
    assert model.score(X, Y, adjacency=A) > model.score(X, Y, adjacency=lone)
    # Nodes and a graph that were not seen in fit.
    other, y = two_groups(60, seed=5)
    features = np.random.default_rng(7).standard_normal((60, 12)) + y[:, None]
    assert model.score(features, y, adjacency=other) > 0.8


def test_labels_of_any_kind():
    names = np.array(["no", "yes"])[Y]
    some = np.where(KNOWN < 0, -1, names.astype(object))
    model = GCNClassifier(**QUICK).fit(X, some, adjacency=A)
    assert model.classes_.tolist() == ["no", "yes"]
    assert_array_equal(model.network_.theta, fitted().network_.theta)
    assert model.score(X, some, adjacency=A) == fitted().score(X, KNOWN, adjacency=A)
    several = GCNClassifier(**QUICK).fit(X, np.where(KNOWN < 0, -1, np.arange(80) % 3), adjacency=A)
    assert several.predict_proba(X, A).shape == (80, 3)


def test_weights():
    weighted = GCNClassifier(**QUICK).fit(X, KNOWN, sample_weight=1 + (Y == 1), adjacency=A)
    assert (weighted.network_.theta != fitted().network_.theta).any()
    w = np.ones(80)
    w[0] = 0
    without = KNOWN.copy()
    without[0] = -1
    a = GCNClassifier(**QUICK).fit(X, KNOWN, sample_weight=w, adjacency=A)
    b = GCNClassifier(**QUICK).fit(X, without, adjacency=A)
    assert_array_equal(a.network_.theta, b.network_.theta)


def test_a_step_uses_all_labels_unless_told_otherwise():
    assert fitted()._state is None
    rng = np.random.default_rng(0)
    A, y = two_groups(400)
    x = rng.standard_normal((400, 4))
    model = GCNClassifier(**QUICK | {"max_iter": 1}).partial_fit(x, y, [0, 1], adjacency=A)
    assert model._state.step == 1  # not three batches of 128
    small = GCNClassifier(**QUICK | {"batch_size": 100}).partial_fit(x, y, [0, 1], adjacency=A)
    assert small._state.step == 4
    small.partial_fit(x, y, adjacency=A)
    assert small._state.step == 8


def test_early_stopping_holds_out_labels_and_not_neighbours():
    model = fitted(early_stopping=True, validation_fraction=0.3)
    assert len(model.history_["validation_score"]) == model.n_iter_
    assert model.score(X, Y, adjacency=A) > 0.7


def test_held_out_nodes_are_scored_after_every_epoch():
    nodes, first = Nodes(X, A), np.arange(80) % 4 == 0
    model = GCNClassifier(**QUICK)
    model.fit(nodes[first], Y[first], eval_set=(nodes[~first], Y[~first]))
    scores = model.history_["validation_score"]
    assert len(scores) == model.n_iter_
    assert scores[-1] == model.score(nodes[~first], Y[~first])
    other = np.where(first, -1, Y)
    again = GCNClassifier(**QUICK).fit(X, KNOWN, adjacency=A, eval_set=(X, other))
    assert again.history_["validation_score"] == scores


def test_searches_and_folds_cut_labels():
    nodes = Nodes(X, A)
    model = GCNClassifier(**QUICK)
    assert cross_val_score(model, nodes, Y, cv=3).mean() > 0.8
    search = RankSearch(model, eps=1.0, ranks=(1, 2), cv=2, n_seeds=1, random_state=0)
    assert search.fit(nodes, Y).rank_ == 1
    assert search.predict(nodes).shape == (80,)
    grid = GridSearchCV(model, {"dropout": [0.0, 0.5]}, cv=2).fit(nodes, Y)
    assert grid.best_params_["dropout"] in (0.0, 0.5)


def test_adjacency_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = GCNClassifier(**QUICK).set_fit_request(adjacency=True)
        assert model.get_metadata_routing().fit.requests["adjacency"] is True


def test_side_by_side_has_the_bits_of_alone(tmp_path):
    nodes = Nodes(X, A)
    models = [
        GCNClassifier(**QUICK | {"rank": rank, "adapter": adapter, "dtype": "float64"})
        for rank, adapter in ((1, "lora"), (2, "dora"), (1, "none"))
    ]
    alone = [clone(model).fit(nodes, Y) for model in models]
    for together, one in zip(fit_many(models, nodes, Y), alone, strict=True):
        assert_array_equal(together.network_.theta, one.network_.theta)
        assert_array_equal(together.network_.buffers, one.network_.buffers)
    names = np.arange(80) % 3
    expected = np.choose(names, [model.predict(nodes) for model in alone])
    assert_array_equal(predict_many(dict(enumerate(models)), nodes, names), expected)
    path = save(alone[1], tmp_path / "model.safetensors")
    attached = attach(load(save(alone[0], tmp_path / "first.safetensors")), path)
    assert_array_equal(attached.predict(nodes), alone[1].predict(nodes))


def test_costs_count_nodes():
    model = fitted(rank=2)
    cost = cost_of(model, rows=80, epochs=2)
    assert cost.n_frozen == 12 * 16 + 16
    assert cost.n_trained == model.n_trained_params_ == 2 * (12 + 16 + 16 + 1) + 2 + 32
    assert cost.n_dense == 12 * 16 + 16 + 32 + 16 + 1


class _Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    whole, path = fitted(max_iter=6), tmp_path / "checkpoint"
    saved = []

    def save_and_die(self, progress, save=checkpoints.Checkpoint.save):
        save(self, progress)
        saved.append(progress)
        if len(saved) == 3:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", save_and_die)
        with pytest.raises(_Killed):
            GCNClassifier(**QUICK | {"max_iter": 6}).fit(X, KNOWN, checkpoint=path, adjacency=A)
    again = GCNClassifier(**QUICK | {"max_iter": 6}).fit(X, KNOWN, checkpoint=path, adjacency=A)
    assert_array_equal(again.network_.theta, whole.network_.theta)
    assert_array_equal(again.network_.buffers, whole.network_.buffers)


# Bad input ------------------------------------------------------------


def changed(i, j, value, both=True):
    matrix = A.tolil()
    matrix[i, j] = value
    if both:
        matrix[j, i] = value
    return matrix.tocsr()


@pytest.mark.parametrize(
    ("adjacency", "words"),
    [
        (
            changed(2, 70, 3.0, both=False),
            r"symmetric; adjacency\[2, 70\] is 3, but .*\[70, 2\] is 0",
        ),
        (changed(4, 4, 1.0), r"without self-loops.*adjacency\[4, 4\] is 1.*setdiag"),
        (changed(1, 2, -1.0), r"not negative; adjacency\[1, 2\] is -1"),
        (changed(1, 2, np.nan), r"finite.*adjacency\[1, 2\] is nan"),
        (A[:79, :79], r"shape \(80, 80\), as the features have 80 rows; got shape \(79, 79\)"),
        (None, "GCNClassifier needs the graph.*adjacency.*Nodes"),
    ],
)
def test_a_wrong_graph_is_refused_with_the_entry(adjacency, words):
    with pytest.raises(ValueError, match=words):
        GCNClassifier(**QUICK).fit(X, KNOWN, adjacency=adjacency)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(80, -1), "y must have labels"),
        (np.where(np.arange(80) == 5, 0.5, Y), r"class labels.*y\[5\] is .*0\.5"),
        (KNOWN[:70], r"one label per node, shape \(80,\).*\(70,\)"),
    ],
)
def test_wrong_labels_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        GCNClassifier(**QUICK).fit(X, y, adjacency=A)


def test_other_refusals():
    broken = X.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        GCNClassifier(**QUICK).fit(broken, KNOWN, adjacency=A)
    model = fitted()
    with pytest.raises(ValueError, match="expecting 12 features"):
        model.predict(X[:, :5], A)
    with pytest.raises(ValueError, match="needs the graph"):
        model.predict(X)
    with pytest.raises(ValueError, match="adjacency must be None"):
        model.predict(Nodes(X, A), A)
    with pytest.raises(ValueError, match="2 axes"):
        Nodes(np.zeros(4), A)
    with pytest.raises(ValueError, match="bias must be"):
        GCNClassifier(bias="no").fit(X, KNOWN, adjacency=A)
    before = model.network_.theta.copy()
    with pytest.raises(ValueError, match="symmetric"):
        model.fit(X, KNOWN, adjacency=changed(2, 70, 3.0, both=False))
    assert_array_equal(model.network_.theta, before)


def test_diverged_training_names_a_remedy():
    from deepreservoir import TrainingDiverged

    words = scipy.sparse.random(80, 400, 0.01, random_state=0, format="csr")
    with pytest.raises(TrainingDiverged, match=r"scale them first|learning_rate_init"):
        GCNClassifier(**QUICK | {"learning_rate_init": 1e30, "optimizer": "sgd"}).fit(
            words, KNOWN, adjacency=A
        )


def test_resampling_by_epoch():
    model = fitted(resample="epoch", max_iter=5)
    assert model.scaffold_seed_ == model.network_.seed
    with pytest.raises(ValueError, match="running statistics"):
        fitted(resample=("step", 2))


def test_a_search_over_ranks_leaves_out_nodes_without_a_label():
    search = RankSearch(
        GCNClassifier(**QUICK), eps=9.0, ranks=[1], cv=2, n_seeds=1, random_state=0
    ).fit(Nodes(X, A), KNOWN)
    known = KNOWN >= 0
    expected = RankSearch(
        GCNClassifier(**QUICK), eps=9.0, ranks=[1], cv=2, n_seeds=1, random_state=0
    ).fit(Nodes(X, A)[np.flatnonzero(known)], KNOWN[known])
    for name, losses in search.losses_.items():
        np.testing.assert_array_equal(losses, expected.losses_[name])


@pytest.mark.parametrize("as_given", [np.asarray, scipy.sparse.csr_matrix])
def test_features_that_are_too_large_for_single_precision_are_refused(as_given):
    model = fitted()
    huge = X.copy()
    huge[3, 2] = 1e39
    with pytest.raises(ValueError, match="too large for float32; divide them by a constant"):
        model.predict_proba(as_given(huge), adjacency=A)
