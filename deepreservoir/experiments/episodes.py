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
    environment's ``action_space``, if it has one.

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
        If an argument is out of range, or the observations or actions of the environment are not
        vectors of as many numbers as the model was trained on.
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
        limits = _limits(model, env)
        return np.array(
            [_episode_return(model, env, limits, target_return, seed + i) for i in range(episodes)]
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


def _limits(model: DecisionTransformer, env: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest action, after checking that they fit the model."""
    space = getattr(env, "action_space", None)
    if space is None:
        return -np.inf, np.inf
    n = model.n_outputs_
    if not (hasattr(space, "low") and hasattr(space, "high")):
        raise ValueError(
            f"the actions of the environment must be vectors of {n} numbers, as in fit; its "
            f"action_space is {space!r:.100}"
        )
    for limit in (space.low, space.high):
        if np.shape(limit) not in ((), (n,)):
            raise ValueError(
                f"the actions of the environment must be vectors of {n} numbers, as in fit; those "
                f"of its action_space have shape {np.shape(limit)}"
            )
    return space.low, space.high


def _observed(model: DecisionTransformer, observation: Any) -> np.ndarray:
    """Return a copy of an observation, since environments may return an array that they change."""
    n = model._reader.sizes()["n_observations"]
    expected = f"the observations of the environment must be vectors of {n} numbers, as in fit"
    try:
        found = np.array(observation, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{expected}; got {observation!r:.100}") from None
    if found.shape != (n,):
        raise ValueError(f"{expected}; got one of shape {found.shape}")
    return found


def _episode_return(
    model: DecisionTransformer,
    env: Any,
    limits: tuple[Any, Any],
    target_return: float,
    seed: int,
) -> float:
    observation, _ = env.reset(seed=seed)
    observations = [_observed(model, observation)]
    actions: list[np.ndarray] = []
    rewards: list[float] = []
    ended = False
    while not ended:
        history = {"observations": np.array(observations)}
        if actions:
            history |= {"actions": np.array(actions), "rewards": np.array(rewards)}
        action = np.clip(model.act(history, target_return), *limits)
        observation, reward, terminated, truncated, _ = env.step(action.copy())
        observations.append(_observed(model, observation))
        actions.append(action)
        rewards.append(float(reward))
        ended = bool(terminated or truncated)
    return sum(rewards)
