"""Parts of trajectories: those that are held out, and the beginning of an episode to act on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inputs import Trajectories, TrajectoryReader
from ..inputs.trajectories import steps_of


def held_out(given: Trajectories, fraction: float) -> tuple[Trajectories, Trajectories]:
    """Return trajectories that are trained on, and others at equal distances.

    Raises
    ------
    ValueError
        If none would be left to train on.
    """
    n = len(given)
    count = max(1, round(fraction * n))
    if count >= n:
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction={fraction} of {n} trajectories. "
            "Give more trajectories, an eval_set, or early_stopping=False"
        )
    held = np.zeros(n, bool)
    held[((np.arange(count) + 0.5) * n / count).astype(int)] = True
    return given[~held], given[held]


def checked_history(
    history: Any, reader: TrajectoryReader
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return observations, actions and rewards of an episode that is going on.

    Parameters
    ----------
    history : mapping, object with attributes, or tuple
        As in ``DecisionTransformer.act``.
    reader : TrajectoryReader
        It knows the widths.

    Returns
    -------
    observations : ndarray, shape (t + 1, n_observations)
    actions : ndarray, shape (t, n_actions)
    rewards : ndarray, shape (t,)

    Raises
    ------
    ValueError
        If a part is missing or does not fit the others.
    """
    parts = steps_of(history, "history", may_be_empty=True)
    if "observations" not in parts or not len(parts["observations"]):
        raise ValueError("history has no observations; expected the one that is acted on")
    past = len(parts["observations"]) - 1
    parts.setdefault("actions", np.zeros((0, reader.n_actions)))
    if past and "rewards" not in parts:
        raise ValueError(
            f"history has {past} past steps but no rewards, on which the return that is still to "
            "come depends; pass the reward of each past step"
        )
    parts.setdefault("rewards", np.zeros(0))
    for name in ("actions", "rewards"):
        if len(parts[name]) != past:
            raise ValueError(
                f"the {name} of history have {len(parts[name])} steps; expected {past}, one less "
                f"than its {past + 1} observations"
            )
    for name in ("observations", "actions"):
        width, expected = parts[name].shape[1], getattr(reader, f"n_{name}")
        if width != expected:
            raise ValueError(
                f"the {name} of history have {width} entries per step; expected {expected}, as in "
                "fit"
            )
    return parts["observations"], parts["actions"], parts["rewards"]
