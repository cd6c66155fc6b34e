"""Trajectories of a control task: observations, actions and rewards, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from .irregular_series import concatenated_ranges

#: Names of the flags that end a trajectory, in Minari and in D4RL.
_ENDS = ("terminations", "terminals", "truncations", "timeouts")
_PARTS = ("observations", "actions", "rewards")


@dataclass(frozen=True)
class Trajectories:
    """Several trajectories, checked and concatenated.

    It can be indexed like an array of trajectories, and estimators accept it as X.
    :func:`trajectories` makes one.

    Attributes
    ----------
    observations : ndarray of float, shape (n_steps, n_observations)
        What was observed before each action.
    actions : ndarray of float, shape (n_steps, n_actions)
    rewards : ndarray of float64, shape (n_steps,)
        What each action was rewarded with.
    bounds : ndarray of int, shape (n_trajectories + 1,)
        Trajectory i has the steps from ``bounds[i]`` to ``bounds[i + 1]``.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import trajectories
    >>> two = trajectories([(np.zeros((n, 3)), np.zeros((n, 2)), np.ones(n)) for n in (4, 6)])
    >>> len(two), two.lengths.tolist(), two[0].observations.shape
    (2, [4, 6], (4, 3))
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    bounds: np.ndarray

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def shape(self) -> tuple[int]:
        """(n_trajectories,), by which scikit-learn indexes it like an array."""
        return (len(self),)

    @property
    def ndim(self) -> int:
        return 1

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            "Trajectories hold three arrays, and cannot be one; pass them to a "
            "DecisionTransformer, or use their attributes observations, actions and rewards"
        )

    @property
    def lengths(self) -> np.ndarray:
        """Number of steps of each trajectory, (n_trajectories,)."""
        return np.diff(self.bounds)

    def __getitem__(self, index: Any) -> Self:
        """Return the trajectories at `index`: an integer, a slice, a mask or integers."""
        if isinstance(index, tuple):  # scikit-learn indexes an array as array[index, ...]
            index = index[0]
        chosen = np.atleast_1d(np.arange(len(self))[index])
        rows = concatenated_ranges(self.bounds[chosen], self.bounds[chosen + 1])
        bounds = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        return type(self)(self.observations[rows], self.actions[rows], self.rewards[rows], bounds)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def returns(self) -> np.ndarray:
        """Return the sum of the rewards of each trajectory, (n_trajectories,)."""
        return self.returns_to_go()[self.bounds[:-1]]

    def returns_to_go(self) -> np.ndarray:
        """Return the sum of the rewards from each step to the end of its trajectory, (n_steps,)."""
        found = np.empty(len(self.rewards))
        for start, stop in pairwise(self.bounds):
            found[start:stop] = np.cumsum(self.rewards[start:stop][::-1])[::-1]
        return found


def trajectories(X: Any) -> Trajectories:
    """Return trajectories in any of the accepted forms, checked, as one object.

    Parameters
    ----------
    X : iterable, mapping, or Trajectories
        An iterable of trajectories, of which each is a mapping with the keys ``observations``,
        ``actions`` and ``rewards``, an object with these attributes (such as an episode of Minari),
        a tuple of the three, or Trajectories; or one mapping, either with arrays of shape
        (n_trajectories, n_steps, ...) for trajectories of equal length, or with arrays of shape
        (n_steps, ...). A mapping may have the flags ``terminals`` and ``timeouts``, or
        ``terminations`` and ``truncations``, which are 1 at the last step of a trajectory, after
        which another one begins (such as a data set of D4RL). Observations may have one row more
        than there are actions, as in Minari: the last one is left out.

    Returns
    -------
    Trajectories

    Raises
    ------
    ValueError
        If a part of a trajectory is missing, empty, not finite, of another length than the
        actions, or of another width than in the first trajectory. The message names the
        trajectory.
    TypeError
        If X is in none of these forms.

    Examples
    --------
    >>> episode = {"observations": [[0.0], [1.0]], "actions": [[0.5], [0.2]], "rewards": [1, 2]}
    >>> found = trajectories([episode, episode])
    >>> len(found), found.returns_to_go().tolist()
    (2, [3.0, 2.0, 3.0, 2.0])
    """
    if isinstance(X, Trajectories) and len(X):
        return X
    checked = [_checked(one, f"X[{i}]") for i, item in enumerate(_items(X)) for one in _each(item)]
    if not checked:
        raise ValueError("X must have at least one trajectory; got none")
    first = checked[0]
    for i, parts in enumerate(checked):
        for name in ("observations", "actions"):
            width, expected = parts[name].shape[1], first[name].shape[1]
            if width != expected:
                raise ValueError(
                    f"the {name} of X[{i}] have {width} entries per step, but those of X[0] have "
                    f"{expected}: all trajectories must have the same ones"
                )
    observations, actions, rewards = (
        np.concatenate([parts[name] for parts in checked]) for name in _PARTS
    )
    bounds = np.cumsum([0, *(len(parts["actions"]) for parts in checked)])
    return Trajectories(observations, actions, rewards, bounds)


def steps_of(item: Any, label: str, may_be_empty: bool = False) -> dict[str, np.ndarray]:
    """Return the parts that are given of one trajectory as arrays of numbers, by name.

    Parameters
    ----------
    item : mapping, object with attributes, or tuple
    label : str
        What messages call it.
    may_be_empty : bool, default=False
        Whether an empty list stands for a part that is not given.

    Raises
    ------
    ValueError
        If a part is not finite, or has a wrong number of axes.
    TypeError
        If it is in none of these forms.
    """
    given = _given(item, label)
    return {
        name: _numbers(given[name], f"the {name} of {label}", 1 if name == "rewards" else 2)
        for name in _PARTS
        if given.get(name) is not None and not (may_be_empty and np.shape(given[name]) == (0,))
    }


def _items(X: Any) -> Iterable[Any]:
    """Return X as an iterable of trajectories."""
    if not isinstance(X, Mapping):
        if isinstance(X, str) or not isinstance(X, Iterable):
            raise TypeError(
                "X must be a list of trajectories, or a mapping with observations, actions and "
                f"rewards; got {X!r:.60}"
            )
        if isinstance(X, np.ndarray) and X.dtype != object:
            raise TypeError(
                "X is one array; expected trajectories with observations, actions and rewards: "
                'pass {"observations": ..., "actions": ..., "rewards": ...}'
            )
        return X
    given = {name: _array(X[name], name) for name in _PARTS if X.get(name) is not None}
    if len(given) == len(_PARTS) and all(part.ndim == 3 for part in list(given.values())[:2]):
        given |= {name: _array(X[name], name) for name in _ENDS if X.get(name) is not None}
        lengths = {name: len(part) for name, part in given.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                "the parts of X must have as many trajectories; got "
                + ", ".join(f"{n} of {name}" for name, n in lengths.items())
            )
        rows = zip(*given.values(), strict=True)
        return [one for parts in rows for one in _items(dict(zip(given, parts, strict=True)))]
    ends = _ends(X, "X")
    if len(given) < len(_PARTS) or ends is None or not ends[:-1].any():
        return [X]
    n = len(ends)
    for name, part in given.items():
        if len(part) != n:
            raise ValueError(f"the {name} of X have {len(part)} rows, but its flags have {n}")
    stops = np.flatnonzero(ends) + 1
    # The steps after the last flag are a trajectory that was still going on.
    bounds = [0, *stops.tolist(), *([n] if not len(stops) or stops[-1] < n else [])]
    return [
        {name: part[start:stop] for name, part in given.items()} for start, stop in pairwise(bounds)
    ]


def _each(item: Any) -> Iterable[Any]:
    """Return the trajectories of an element of X, which may be several."""
    return item if isinstance(item, Trajectories) else (item,)


def _array(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # of different lengths
        raise ValueError(
            f"the {name} of X are not one array: pass trajectories of different lengths as a list "
            'of mappings, [{"observations": ..., "actions": ..., "rewards": ...}, ...]'
        ) from None


def _ends(item: Mapping[str, Any], label: str) -> np.ndarray | None:
    """Return which steps end a trajectory, or None without flags."""
    flags = [np.asarray(item[name]) for name in _ENDS if item.get(name) is not None]
    if not flags:
        return None
    for flag in flags:
        if flag.ndim != 1 or len(flag) != len(flags[0]):
            raise ValueError(
                f"the flags of {label} that end trajectories must be vectors of one length; got "
                f"shape {flag.shape}"
            )
        if flag.dtype.kind not in "biuf" or not ((flag == 0) | (flag == 1)).all():
            raise ValueError(f"the flags of {label} that end trajectories must be 0 or 1")
    return np.any([flag.astype(bool) for flag in flags], axis=0)


def _given(item: Any, label: str) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    if isinstance(item, tuple | list) and len(item) == len(_PARTS):
        return dict(zip(_PARTS, item, strict=True))
    if hasattr(item, "observations") and hasattr(item, "actions"):
        return {name: getattr(item, name, None) for name in (*_PARTS, *_ENDS)}
    raise TypeError(
        f"{label} must be a mapping with observations, actions and rewards, an object with these "
        f"attributes, or a tuple of the three; got a {type(item).__name__}"
    )


def _checked(item: Any, label: str) -> dict[str, np.ndarray]:
    """Return the three parts of a trajectory, of one length."""
    parts = steps_of(item, label)
    for name in _PARTS:
        if name not in parts:
            why = ", from which the returns-to-go are computed" if name == "rewards" else ""
            raise ValueError(f"{label} has no {name}{why}; expected {', '.join(_PARTS)}")
    n = len(parts["actions"])
    if not n:
        raise ValueError(f"{label} has no steps; leave it out")
    if len(parts["observations"]) == n + 1:
        parts["observations"] = parts["observations"][:-1]
    for name in ("observations", "rewards"):
        if len(parts[name]) != n:
            more = f" (or {n + 1})" if name == "observations" else ""
            raise ValueError(
                f"the {name} of {label} have {len(parts[name])} steps; expected {n}{more}, as many "
                "as its actions"
            )
    ends = _ends(_given(item, label), label)
    if ends is not None and len(ends) != n:
        raise ValueError(
            f"the flags of {label} have {len(ends)} steps; expected {n}, as many as its actions"
        )
    if ends is not None and ends[: n - 1].any():
        raise ValueError(
            f"{label} ends at step {int(ends.argmax())} of {n} by its flags: expected one "
            "trajectory. Pass several as one mapping, instead of a list"
        )
    parts["rewards"] = parts["rewards"].astype(np.float64)
    return parts


def _numbers(values: Any, label: str, ndim: int) -> np.ndarray:
    """Return an array of float32 or float64 with `ndim` axes, checked."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"got {type(values).__name__} of dtype {array.dtype}")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{label} must be an array of numbers: {error}") from None
    if array.ndim != ndim or 0 in array.shape[1:]:
        expected = "(n_steps,)" if ndim == 1 else "(n_steps, n_entries)"
        raise ValueError(f"{label} must have shape {expected}; got {array.shape}")
    if array.dtype != np.float32:
        array = array.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        at = wrong[0].tolist()
        raise ValueError(
            f"{label} must be finite; step {at[0]} has {array[tuple(at)]}"
            + (f" at entry {at[1]}" if ndim == 2 else "")
        )
    return array
