"""Episodes of a DecisionTransformer: returns, limits, environments that do not fit."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from target import device

from deepreservoir import DecisionTransformer, episode_returns

SMALL = {"context": 4, "width": 8, "depth": 1, "rank": 2, "max_iter": 3, "random_state": 0}


def fitted(observations, actions):
    rng = np.random.default_rng(0)
    X = [
        {
            "observations": rng.normal(size=(7, observations)),
            "actions": rng.uniform(-1, 1, (7, actions)),
            "rewards": rng.normal(size=7),
        }
        for _ in range(4)
    ]
    return DecisionTransformer(**SMALL, device=device).fit(X)


@pytest.fixture(scope="module")
def model():
    return fitted(3, 2)


class Line:
    """An environment with the interface of gymnasium: rewards are first entries of actions."""

    action_space = SimpleNamespace(low=-0.01 * np.ones(2), high=0.01 * np.ones(2))

    def __init__(self):
        self.seeds, self.actions = [], []

    def reset(self, seed):
        self.seeds.append(seed)
        self.rng, self.t = np.random.default_rng(seed), 0
        return self.rng.normal(size=3), {}

    def step(self, action):
        self.t += 1
        self.actions.append(action)
        return self.rng.normal(size=3), action[0], False, self.t == 6, {}


def test_episodes_in_an_environment(model):
    env = Line()
    returns = episode_returns(model, env, 1.0, episodes=2, seed=5)
    assert env.seeds == [5, 6]
    assert_allclose(returns, np.array(env.actions)[:, 0].reshape(2, 6).sum(axis=1))
    assert np.abs(env.actions).max() <= 0.01
    assert_array_equal(episode_returns(model, Line(), 1.0, episodes=2, seed=5), returns)
    with pytest.raises(ValueError, match="episodes must be an integer of at least 1"):
        episode_returns(model, env, 1.0, episodes=0)


def test_an_episode_in_gymnasium():
    gymnasium = pytest.importorskip("gymnasium")
    env = gymnasium.make("Pendulum-v1", max_episode_steps=7)
    X = [
        {
            "observations": np.random.default_rng(i).normal(size=(7, 3)),
            "actions": np.random.default_rng(i).normal(size=(7, 1)),
            "rewards": -np.ones(7),
        }
        for i in range(3)
    ]
    found = episode_returns(DecisionTransformer(**SMALL).fit(X), env, -7.0, episodes=2)
    assert found.shape == (2,)
    assert (found < 0).all()


class Point:
    """A point that is moved; observations are the same array in all steps, which changes."""

    def __init__(self, dtype, copy):
        self.x, self.copy = np.zeros(3, dtype), copy

    def seen(self):
        return self.x.copy() if self.copy else self.x

    def reset(self, seed):
        self.x[:], self.t = 2.0, 0
        return self.seen(), {}

    def step(self, action):
        self.x[:2] += action
        self.t += 1
        reward = -float(np.abs(self.x).sum())
        if not self.copy:
            action[:] = np.nan
        return self.seen(), reward, self.t == 6, False, {}


def test_an_environment_may_change_the_arrays_it_returns_and_is_given(model):
    expected = episode_returns(model, Point(np.float64, True), 1.0, 1)
    assert_allclose(episode_returns(model, Point(np.float64, False), 1.0, 1), expected, rtol=1e-12)
    assert_allclose(episode_returns(model, Point(np.float32, False), 1.0, 1), expected, rtol=1e-5)


class Fixed:
    """An environment of a given observation and space of actions."""

    def __init__(self, observation, action_space=None):
        self.observation = observation
        if action_space is not None:
            self.action_space = action_space

    def reset(self, seed):
        return self.observation, {}

    def step(self, action):
        raise AssertionError("it is refused before the first step")


def box(n):
    return SimpleNamespace(low=-np.ones(n), high=np.ones(n))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (Fixed(np.zeros(3), box(1)), r"vectors of 2 numbers, as in fit; those .* shape \(1,\)"),
        (Fixed(np.zeros(3), box(3)), r"vectors of 2 numbers, as in fit; those .* shape \(3,\)"),
        (Fixed(np.zeros(3), SimpleNamespace(n=2)), "its action_space is .*n=2"),
        (Fixed(np.zeros(4), box(2)), r"vectors of 3 numbers, as in fit; got one of shape \(4,\)"),
        (Fixed({"position": 0.0}, box(2)), "vectors of 3 numbers, as in fit; got {'position'"),
        (Fixed("start"), "vectors of 3 numbers, as in fit; got 'start'"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(model, environment, words):
    with pytest.raises(ValueError, match=words):
        episode_returns(model, environment, 1.0, 1)
