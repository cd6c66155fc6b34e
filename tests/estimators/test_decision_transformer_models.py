"""DecisionTransformer: forms of trajectories, windows, scores, acting, files, bad input."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from target import device

from deepreservoir import (
    DecisionTransformer,
    RankSearch,
    attach,
    fit_many,
    load,
    save,
    trajectories,
)
from deepreservoir.backend import to_host
from deepreservoir.inputs import TrajectoryReader

SMALL = {
    "context": 4,
    "width": 8,
    "depth": 1,
    "rank": 2,
    "batch_size": 8,
    "max_iter": 3,
    "learning_rate_init": 0.01,
    "random_state": 0,
}


def episode(seed, steps=9):
    """Return an episode of a linear policy; the first entry of an action follows the first of x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(steps, 3))
    actions = np.stack([0.5 * np.tanh(x[:, 0]), -0.3 * np.tanh(x[:, 1])], axis=1)
    return {"observations": x, "actions": actions, "rewards": rng.normal(size=steps)}


X = [episode(i, 5 + i) for i in range(8)]  # lengths 5 to 12


@pytest.fixture(scope="module")
def model():
    return DecisionTransformer(**SMALL, device=device).fit(X)


def theta(fitted):
    return to_host(fitted.network_.theta)


# Trajectories ------------------------------------------------------------


def test_forms_of_trajectories():
    equal = [episode(i) for i in range(3)]
    stacked = {name: np.stack([each[name] for each in equal]) for name in equal[0]}
    one_below_the_other = {name: np.concatenate([e[name] for e in equal]) for name in equal[0]}
    ends = np.tile(np.arange(9) == 8, 3)
    shown = [e["observations"][-1:] for e in equal]
    minari = [
        {**e, "observations": np.concatenate([e["observations"], last]), "truncations": ends[:9]}
        for e, last in zip(equal, shown, strict=True)
    ]
    expected = trajectories(equal)
    for given in (
        stacked,
        tuple(tuple(each.values()) for each in equal),
        iter([SimpleNamespace(**each) for each in minari]),
        minari,
        {**one_below_the_other, "terminals": np.zeros(27, bool), "timeouts": ends},
        # The last trajectory has not ended.
        {**one_below_the_other, "terminations": ends & (np.arange(27) < 20)},
    ):
        found = trajectories(given)
        assert_array_equal(found.bounds, [0, 9, 18, 27])
        for name in ("observations", "actions", "rewards"):
            assert_array_equal(getattr(found, name), getattr(expected, name))
    for parts in (trajectories(equal[:2]), trajectories(equal[2:])):  # joined, in any order
        assert_array_equal(trajectories([parts, *equal[:1]]).lengths, [9] * (len(parts) + 1))
    ended = trajectories({**stacked, "terminations": np.tile(np.arange(9) % 4 == 3, (3, 1))})
    assert_array_equal(ended.lengths, [4, 4, 1] * 3)
    assert_array_equal(ended.observations, expected.observations)
    whole = trajectories(minari[0])  # one episode that is given by itself
    assert_array_equal(whole.observations, equal[0]["observations"])
    one = trajectories(one_below_the_other)
    assert len(one) == 1
    assert_allclose(expected.returns(), [each["rewards"].sum() for each in equal])
    assert_allclose(expected[[2, 0]].observations[:9], equal[2]["observations"])


def changed(**parts):
    return [X[0], {**X[1], **parts}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "at least one trajectory; got none"),
        (changed(rewards=np.ones(5)), r"rewards of X\[1\] have 5 steps; expected 6, as many as"),
        (
            changed(observations=np.ones((9, 3))),
            r"observations of X\[1\] have 9.*expected 6 \(or 7",
        ),
        (changed(actions=np.ones((6, 1))), r"actions of X\[1\] have 1 entries per step.*have 2"),
        (changed(observations=np.ones(6)), r"observations of X\[1\] must have shape \(n_steps, n_"),
        (changed(rewards=np.ones((6, 1))), r"rewards of X\[1\] must have shape \(n_steps,\)"),
        (changed(rewards=None), r"X\[1\] has no rewards, from which the returns-to-go"),
        (changed(actions=[["left"]] * 6), r"actions of X\[1\] must be an array of numbers"),
        (changed(actions=np.full((6, 2), np.nan)), r"X\[1\] must be finite; step 0 has nan"),
        (
            changed(observations=np.ones((0, 3)), actions=np.ones((0, 2)), rewards=[]),
            r"X\[1\] has no steps",
        ),
        (changed(terminations=np.arange(6) == 2), r"X\[1\] ends at step 2 of 6 by its flags"),
        ({**X[0], "timeouts": np.ones(4)}, "the observations of X have 5 rows, but its flags hav"),
        ({**X[0], "timeouts": np.zeros(4)}, r"flags of X\[0\] have 4 steps; expected 5"),
        ({**X[0], "timeouts": [0, 0, np.nan, 0, 1]}, "flags of X that end .* must be 0 or 1"),
        ({**X[0], "timeouts": list("aaaab")}, "flags of X that end .* must be 0 or 1"),
        ({n: [X[0][n], X[1][n]] for n in X[0]}, "pass trajectories of different lengths as a list"),
        (trajectories(X)[[]], "at least one trajectory; got none"),
        ([trajectories(X), X[0], {**X[1], "rewards": [1.0]}], r"rewards of X\[2\] have 1 steps"),
    ],
)
def test_bad_trajectories_are_named(given, words):
    with pytest.raises(ValueError, match=words):
        DecisionTransformer(**SMALL).fit(given)


@pytest.mark.parametrize("given", [3, "file", np.ones((2, 3)), [np.ones(3)]])
def test_what_is_no_trajectory_is_refused(given):
    with pytest.raises(TypeError, match=r"mapping with observations|observations, actions and rew"):
        trajectories(given)


# Windows ------------------------------------------------------------


def windows(context=4, dtype=np.float64):
    reader = TrajectoryReader(context).fit(X)
    inputs = reader.read(X, dtype, "cpu")
    reader.fit_training(inputs)
    return reader, inputs


def test_windows_cover_each_step_once():
    reader, inputs = windows()
    batch = inputs.take(np.arange(len(inputs)))
    kept = batch.side["kept"] > 0
    assert batch.side["n_kept"] == kept.sum() == sum(range(5, 13))
    given = inputs.trajectories
    assert_allclose(batch.x[kept][:, 0] * reader.return_scale, given.returns_to_go())
    assert_allclose(batch.x[kept][:, 1:4] * reader.scale + reader.mean, given.observations)
    assert_array_equal(batch.side["actions"][kept], given.actions)
    assert_array_equal(
        batch.side["time_steps"][kept], np.concatenate([*map(np.arange, range(5, 13))])
    )
    assert_allclose(batch.x[kept][:, 1:4].mean(axis=0), 0, atol=1e-12)
    assert_allclose(batch.x[kept][:, 1:4].std(axis=0), 1)


def test_drawn_windows_are_keyed_and_take_all_steps_alike():
    _, inputs = windows()
    index = np.arange(len(inputs))
    drawn = inputs.drawn(7)
    first, again, later = (drawn.take(index, step) for step in (3, 3, 4))
    assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.side["time_steps"], later.side["time_steps"])
    assert_array_equal(drawn.take(index[2:5], 3).x, first.x[2:5])  # whatever else the batch has
    assert_array_equal(drawn.take(index).x, inputs.take(index).x)  # without a step
    counts = np.zeros(12)
    last = np.flatnonzero(inputs.windows[:, 0] == 7)  # of the trajectory of 12 steps
    for step in range(2000):
        side = drawn.take(last, step).side
        np.add.at(counts, side["time_steps"][side["kept"] > 0], 1)
    expected = 2000 * len(last) * 4 / 15  # 4 of 15 places hold a step
    assert_allclose(counts, expected, rtol=0.12)


def test_actions_beyond_one_are_scaled():
    wide = [{**each, "actions": 6 * each["actions"]} for each in X]
    model = DecisionTransformer(**SMALL).fit(wide)
    scale = model._reader.action_scale
    largest = np.abs(np.concatenate([each["actions"] for each in wide])).max(axis=0)
    assert_array_equal(scale, np.maximum(1, largest))
    assert scale.max() > 1
    predicted = np.concatenate(model.predict(wide))
    assert (np.abs(predicted) <= scale).all()
    assert np.abs(predicted).max() > 1


# Fitting ------------------------------------------------------------


def test_it_learns_and_acts_as_it_predicts():
    model = DecisionTransformer(**{**SMALL, "max_iter": 30, "warmup": 0.0}, device=device)
    data = [episode(i, 20) for i in range(20)]
    model.fit(data[:16])
    actions = np.concatenate([each["actions"] for each in data[16:]])
    predicted = model.predict(data[16:])
    assert [part.shape for part in predicted] == [(20, 2)] * 4
    error = np.mean((np.concatenate(predicted) - actions) ** 2)
    assert model.score(data[16:]) == pytest.approx(-error, rel=1e-6)
    assert error < 0.3 * actions.var()
    held, total = data[17], float(data[17]["rewards"].sum())
    for t in (0, 2, 19):
        history = {
            "observations": held["observations"][: t + 1],
            "actions": held["actions"][:t],
            "rewards": held["rewards"][:t],
        }
        assert_allclose(model.act(history, total), predicted[1][t], rtol=1e-4, atol=1e-5)
    assert model.max_return_ == pytest.approx(max(each["rewards"].sum() for each in data[:16]))


def test_the_same_seed_gives_the_same_bits_and_batches_do_not_matter(model):
    again = DecisionTransformer(**SMALL, device=device).fit(iter(X))
    assert_array_equal(theta(again), theta(model))
    other = DecisionTransformer(**{**SMALL, "random_state": 1}, device=device).fit(X)
    assert not np.array_equal(theta(other), theta(model))


def test_whole_trajectories_are_held_out():
    params = {**SMALL, "early_stopping": True, "validation_fraction": 0.25}
    model = DecisionTransformer(**params).fit(X)
    given = trajectories(X)
    held = np.isin(np.arange(8), [2, 6])
    assert_allclose(model._reader.mean, given[~held].observations.mean(axis=0))
    by_hand = DecisionTransformer(**params).fit(given[~held], eval_set=(given[held], None))
    assert_array_equal(theta(by_hand), theta(model))
    assert model.best_validation_score_ == -min(model.history_["validation_loss"])
    with pytest.raises(ValueError, match=r"cannot hold out validation_fraction=0.25 of 1 traj"):
        DecisionTransformer(**params).fit(X[:1])


def test_a_checkpoint_continues_with_the_same_bits(tmp_path, model):
    class Stop(Exception):
        pass

    def stop(state):
        if state.epoch == 1:
            raise Stop

    path = tmp_path / "checkpoint"
    with pytest.raises(Stop), pytest.warns(UserWarning, match="interrupted after 1 epochs"):
        DecisionTransformer(**SMALL, device=device).fit(X, checkpoint=path, callback=stop)
    again = DecisionTransformer(**SMALL, device=device).fit(X, checkpoint=path)
    assert_array_equal(theta(again), theta(model))


def test_files_and_pickles(tmp_path, model):
    copies = [
        load(save(model, tmp_path / "model.safetensors"), device=device),
        attach(model, save(model, tmp_path / "other.safetensors")),
        pickle.loads(pickle.dumps(model)),
    ]
    history = {"observations": X[0]["observations"][:1]}
    for copy in copies:
        assert copy.score(X) == model.score(X)
        assert_array_equal(copy.act(history, 1.0), model.act(history, 1.0))
        assert copy.max_return_ == model.max_return_
    again = copies[0].fit(X)
    assert_array_equal(theta(again), theta(model))


def test_side_by_side_searches_and_resampling(model):
    models = [DecisionTransformer(**{**SMALL, "rank": rank}, device=device) for rank in (1, 2)]
    fit_many(models, X, None)
    assert_array_equal(theta(models[1]), theta(model))
    assert (cross_val_score(clone(models[0]), trajectories(X), cv=2) < 0).all()
    options = {"ranks": (1, 2), "cv": 2, "n_seeds": 1, "eps": 1.0, "random_state": 0}
    options["scoring"] = DecisionTransformer.score
    search = RankSearch(DecisionTransformer(**{**SMALL, "max_iter": 1}), **options)
    assert search.fit(X, np.zeros(8)).rank_ in (1, 2)
    resampled = DecisionTransformer(**SMALL, resample="epoch", device=device).fit(X)
    assert resampled.scaffold_seed_ != model.scaffold_seed_
    assert np.isfinite(resampled.score(X))


def test_more_trajectories(model):
    parts = DecisionTransformer(**SMALL, device=device)
    parts.partial_fit(X).partial_fit(X[:2])
    assert parts.t_ == len(model._reader.read(X, "f4", "cpu")) + 4
    with pytest.raises(ValueError, match="the observations of X have 2 entries per step; expec"):
        model.score([{**each, "observations": each["observations"][:, :2]} for each in X])


def test_steps_beyond_the_last_embedding_share_it(model):
    batch = model._reader.read([episode(0, 20)], np.float32, "cpu").take(np.array([4]))
    assert batch.side["time_steps"].tolist() == [[11, 11, 11, 11]]
    assert model.predict([episode(0, 20)])[0].shape == (20, 2)


@pytest.mark.parametrize(
    "params",
    [
        {"width": 9, "heads": 2},
        {"context": 0},
        {"max_steps": 0},
        {"return_scale": -1.0},
        {"dropout": 1.0},
        {"max_iter": 0},
    ],
)
def test_wrong_parameters_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        DecisionTransformer(**{**SMALL, **params}).fit(X)


# Acting ------------------------------------------------------------

SEEN = {name: np.asarray(part)[:3] for name, part in X[0].items()}


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ({**SEEN, "actions": SEEN["actions"][:2], "rewards": None}, "2 past steps but no rewards"),
        (SEEN, "the actions of history have 3 steps; expected 2, one less than its 3 obs"),
        ({"observations": SEEN["observations"][:0]}, "history has no observations"),
        ({"observations": np.ones((1, 2))}, "observations of history have 2 entries.*expected 3"),
        ({"observations": np.full((1, 3), np.inf)}, "observations of history must be finite"),
    ],
)
def test_bad_histories_are_named(model, history, words):
    with pytest.raises(ValueError, match=words):
        model.act(history, 1.0)


def test_the_wanted_return_is_a_number(model):
    with pytest.raises(ValueError, match="target_return must be a finite number; got nan"):
        model.act({"observations": np.ones((1, 3))}, float("nan"))


def test_an_episode_may_begin_with_empty_lists(model):
    first = X[0]["observations"][:1]
    expected = model.act({"observations": first}, 1.0)
    found = model.act({"observations": first, "actions": [], "rewards": []}, 1.0)
    assert_array_equal(found, expected)


def test_acting_reads_the_context_of_the_fit(model):
    history = {k: v[:8] if k == "observations" else v[:7] for k, v in X[7].items()}
    expected = model.act(history, 1.0)
    changed = pickle.loads(pickle.dumps(model)).set_params(context=2)
    assert_array_equal(changed.act(history, 1.0), expected)


def test_an_observation_that_is_too_large_is_refused(model):
    with pytest.raises(ValueError, match="too large for float32"):
        model.act({"observations": [[1e300, 0.0, 0.0]]}, 1.0)


def test_the_largest_return_is_that_of_all_trajectories_so_far():
    rng = np.random.default_rng(0)

    def episode(reward):
        return {
            "observations": rng.normal(size=(5, 3)),
            "actions": rng.uniform(-1, 1, (5, 2)),
            "rewards": np.full(5, reward),
        }

    model = DecisionTransformer(context=6, width=16, depth=1, max_iter=2, random_state=0)
    model.fit([episode(0.1), episode(0.2)])
    assert model.partial_fit([episode(100.0)]).max_return_ == 500
    assert model.partial_fit([episode(0.1)]).max_return_ == 500
    model.set_params(warm_start=True)
    assert model.fit([episode(200.0)]).max_return_ == 1000


def test_actions_beyond_those_of_the_first_call_are_warned_of():
    large = [{**each, "actions": 3 * each["actions"]} for each in X]
    model = DecisionTransformer(**SMALL).fit(X)
    with pytest.warns(UserWarning, match=r"entry \d of the actions reaches .*Fit on all"):
        model.partial_fit(large)
    model.set_params(warm_start=True)
    with pytest.warns(UserWarning, match=r"predictions reach 1 at most"):
        model.fit(large)


def test_an_iterator_is_trained_on_once_in_partial_fit():
    model = DecisionTransformer(**SMALL, device=device).partial_fit(X)
    again = DecisionTransformer(**SMALL, device=device).partial_fit(iter(X))
    assert_array_equal(theta(again), theta(model))
    assert again.max_return_ == model.max_return_


@pytest.mark.parametrize("given", [X[:2], X[:3], X[:4], trajectories(X), (X, X), (X, None, 1.0)])
def test_an_eval_set_has_no_targets_of_its_own(given):
    with pytest.raises(ValueError, match=r"eval_set must be a tuple \(X_val, None\)"):
        DecisionTransformer(**SMALL).fit(X, eval_set=given)
