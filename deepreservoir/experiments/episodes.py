"""Episodes of a Decision Transformer in an environment of gymnasium."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..checks import check_integer
from ..estimators import DecisionTransformer


def episode_returns(
    model: DecisionTransformer,
    environment: Any,
    target_return: float,
    episodes: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """Let a model act in an environment, and return the return of each episode.

    An episode lasts until the environment ends it. Actions are clipped to the limits of the
    environment.

    Parameters
    ----------
    model : DecisionTransformer
        A fitted model.
    environment : gymnasium.Env or str
        An environment with vectors of numbers as observations and actions, or its name, such as
        ``"HalfCheetah-v5"``, which needs gymnasium: ``pip install "deepreservoir[control]"``.
    target_return : float
        The return that is wanted; ``model.max_return_`` is the largest of a training trajectory.
    episodes : int, default=10
    seed : int, default=0
        Episode i is reset with ``seed + i``.

    Returns
    -------
    ndarray of float64, shape (episodes,)

    Raises
    ------
    ValueError
        If the environment does not fit the model, or an argument is out of range.
    ImportError
        If a name is given and gymnasium is not installed.

    Examples
    --------
    >>> from deepreservoir import DecisionTransformer
    >>> class Counter:  # an environment of gymnasium has the same two methods
    ...     def reset(self, seed):
    ...         self.t = 0
    ...         return np.zeros(1), {}
    ...     def step(self, action):
    ...         self.t += 1
    ...         return np.full(1, self.t), 1.0, False, self.t == 3, {}
    >>> episode = {"observations": np.arange(3.0)[:, None], "actions": np.zeros((3, 1)),
    ...            "rewards": np.ones(3)}
    >>> model = DecisionTransformer(context=2, width=8, depth=1, rank=1, max_iter=1, random_state=0)
    >>> episode_returns(model.fit([episode]), Counter(), target_return=3.0, episodes=2)
    array([3., 3.])
    """
    check_is_fitted(model, "network_")
    check_integer("episodes", episodes, 1)
    check_integer("seed", seed, 0)
    made = isinstance(environment, str)
    env = _made(environment) if made else environment
    try:
        return np.array(
            [_episode_return(model, env, target_return, seed + i) for i in range(episodes)]
        )
    finally:
        if made:
            env.close()


def _made(name: str) -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise ImportError(
            f'the environment {name!r} needs gymnasium: pip install "deepreservoir[control]"'
        ) from error
    return gymnasium.make(name)


def _episode_return(model: DecisionTransformer, env: Any, target_return: float, seed: int) -> float:
    space = getattr(env, "action_space", None)
    low, high = (
        getattr(space, side, limit) for side, limit in (("low", -np.inf), ("high", np.inf))
    )
    observation, _ = env.reset(seed=seed)
    observations = [np.asarray(observation, np.float64)]
    actions: list[np.ndarray] = []
    rewards: list[float] = []
    ended = False
    while not ended:
        history = {"observations": np.array(observations)}
        if actions:
            history |= {"actions": np.array(actions), "rewards": np.array(rewards)}
        action = np.clip(model.act(history, target_return), low, high)
        observation, reward, terminated, truncated, _ = env.step(action)
        observations.append(np.asarray(observation, np.float64))
        actions.append(action)
        rewards.append(float(reward))
        ended = bool(terminated or truncated)
    return sum(rewards)
