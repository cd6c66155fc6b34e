"""Checks of what users pass for tasks: the names of rows' tasks, scaffold seeds and labels."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...scaffold import check_seed

#: The name of the only task, if none is given.
ONLY = 0


def _kind(value: Any) -> type | None:
    """Return the kind of name that a value is: str, int, bool or float; None if it is not one."""
    if isinstance(value, str):
        return str
    if isinstance(value, Integral):
        return bool if isinstance(value, bool | np.bool_) else int
    return float if isinstance(value, Real) and isfinite(value) else None


def row_names(task: Any, n: int) -> np.ndarray:
    """Return the name of each row's task, (n,): all strings or all numbers.

    Parameters
    ----------
    task : str, number, array-like of shape (n,), or None
        One name for all rows, one name per row, or None if there is only one task.
    n : int

    Raises
    ------
    ValueError
        If a row has no name, names are of different kinds, or their number is not `n`.

    Examples
    --------
    >>> row_names(["cats", "dogs", "cats"], 3).tolist()
    ['cats', 'dogs', 'cats']
    >>> row_names("cats", 2).tolist()
    ['cats', 'cats']
    """
    if task is None:
        return np.full(n, ONLY)
    # np.asarray of a list would convert numbers next to strings, and None, to strings.
    names = np.asarray(task if hasattr(task, "dtype") else _objects(task))
    if names.ndim == 0:
        names = np.full(n, names[()])
    if names.shape != (n,):
        raise ValueError(
            f"task must be one name, or name the task of each of {n} rows; got shape {names.shape}"
        )
    if names.dtype.kind in "iuU":
        return names
    values = [v.item() if isinstance(v, np.generic) else v for v in names.tolist()]
    kinds = [_kind(value) for value in values]
    for i, kind in enumerate(kinds):
        if kind is None:
            raise ValueError(
                f"task[{i}] is {values[i]!r}; every row needs the name of its task, a string or a "
                "finite number"
            )
        if kind is not kinds[0]:
            raise ValueError(
                f"names of tasks must all be of one kind: task[0] is {values[0]!r}, but "
                f"task[{i}] is {values[i]!r}"
            )
    return np.array(values)


def _objects(task: Any) -> np.ndarray:
    if isinstance(task, str) or not hasattr(task, "__len__"):
        return np.array(task, dtype=object)
    names = np.empty(len(task), dtype=object)
    names[:] = list(task)
    return names


def task_codes(task: Any, n: int, tasks: np.ndarray) -> np.ndarray:
    """Return the index in `tasks` of each row's task, (n,).

    Parameters
    ----------
    task : as in :func:`row_names`
    n : int
    tasks : ndarray, shape (n_tasks,)
        The names of all tasks.

    Raises
    ------
    ValueError
        As in :func:`row_names`; if a name is unknown; or if `task` is None and there are several
        tasks.
    """
    known = {name: i for i, name in enumerate(tasks.tolist())}
    if task is None and len(known) == 1:
        return np.zeros(n, np.intp)
    listing = ", ".join(map(repr, list(known)[:10])) + (", ..." if len(known) > 10 else "")
    if task is None:
        raise ValueError(
            "task must name the task of the rows, one name for all or one per row; the tasks are "
            + listing
        )
    names, first_rows, codes = np.unique(row_names(task, n), return_index=True, return_inverse=True)
    for name, i in zip(names.tolist(), first_rows, strict=True):
        if name not in known:
            raise ValueError(f"task[{i}] is {name!r}; the tasks are {listing}")
    return np.array([known[name] for name in names.tolist()], np.intp)[codes]


def given_seeds(seeds: Any, tasks: np.ndarray) -> list[int]:
    """Return the scaffold seed of each task from a user's mapping.

    Parameters
    ----------
    seeds : mapping of name to int
        It may contain other tasks as well.
    tasks : ndarray, shape (n_tasks,)

    Raises
    ------
    ValueError
        If it is not a mapping, a task is missing, a seed is invalid, or two tasks share one.
    """
    if not isinstance(seeds, Mapping):
        raise ValueError(
            "scaffold_seeds must map the name of each task to a seed, such as "
            f"{{'cats': 42, 'dogs': 43}}, or be None; got {seeds!r}"
        )
    first: dict[int, Any] = {}
    for name in tasks.tolist():
        if name not in seeds:
            raise ValueError(
                f"scaffold_seeds has no seed for task {name!r}; it has them for "
                + (", ".join(map(repr, seeds)) or "none")
            )
        seed = check_seed(seeds[name], f"scaffold_seeds[{name!r}]")
        if seed in first:
            raise ValueError(
                f"scaffold_seeds gives {first[seed]!r} and {name!r} the same seed, {seed}: tasks "
                "on one scaffold cannot be distinguished; give each task its own seed"
            )
        first[seed] = name
    return list(first)


def drawn_seeds(first: int, n: int, random: np.random.RandomState) -> list[int]:
    """Return `n` distinct scaffold seeds, starting with `first`."""
    seeds = {first: None}  # an ordered set
    while len(seeds) < n:
        seeds[int(random.randint(2**31 - 1))] = None
    return list(seeds)


def with_label(classes: np.ndarray, label: Any) -> np.ndarray:
    """Return the sorted classes, (n_classes,), with a label added that is none of them.

    Raises
    ------
    ValueError
        If the label is one of the classes, or of another kind.

    Examples
    --------
    >>> with_label(np.array([1, 2, 3]), -1)
    array([-1,  1,  2,  3])
    """
    values = classes.tolist()
    kinds = {_kind(value) for value in values}
    fits = {_kind(label)} == kinds or (kinds == {float} and _kind(label) is int)
    if not fits or kinds == {bool}:
        expected = "a string" if kinds == {str} else "a number"
        raise ValueError(
            f"out_of_class must be {expected} that is not a class of y, since the classes are "
            f"{values[:10]}; got {label!r}"
        )
    if label in values:
        raise ValueError(
            f"out_of_class={label!r} is a class of y; choose a label that no row has, and leave "
            "rows of other tasks out: training assigns it to them"
        )
    return np.unique(np.array([*values, label], object if classes.dtype.kind == "O" else None))
