"""Tasks as users name them: the name of each row's task, a scaffold seed a task, labels."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...scaffold import check_seed

#: The name of the only task, where none is given.
ONLY = 0


def _kind(value: Any) -> type | None:
    """Return what kind of a name a value is: str, int or float; None if it is none."""
    if isinstance(value, str):
        return str
    if isinstance(value, Integral):
        return bool if isinstance(value, bool | np.bool_) else int
    return float if isinstance(value, Real) and isfinite(value) else None


def row_names(task: Any, n: int) -> np.ndarray:
    """Return the name of each row's task, (n,): all text or all numbers.

    Parameters
    ----------
    task : str, number, array-like of shape (n,), or None
        One name for all rows, a name a row, or None, where there is one task only.
    n : int

    Raises
    ------
    ValueError
        If a row has no name, names are of different kinds, or there are not `n` of them.

    Examples
    --------
    >>> row_names(["cats", "dogs", "cats"], 3).tolist()
    ['cats', 'dogs', 'cats']
    >>> row_names("cats", 2).tolist()
    ['cats', 'cats']
    """
    if task is None:
        return np.full(n, ONLY)
    # A list would turn numbers beside text, and None, into text.
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
                f"task[{i}] is {values[i]!r}; every row needs the name of its task, which is text "
                "or a finite number"
            )
        if kind is not kinds[0]:
            raise ValueError(
                f"names of tasks must be of one kind: task[0] is {values[0]!r} and task[{i}] is "
                f"{values[i]!r}"
            )
    return np.array(values)


def _objects(task: Any) -> np.ndarray:
    if isinstance(task, str) or not hasattr(task, "__len__"):
        return np.array(task, dtype=object)
    found = np.empty(len(task), dtype=object)
    found[:] = list(task)
    return found


def task_codes(task: Any, n: int, tasks: np.ndarray) -> np.ndarray:
    """Return the index in `tasks` of each row's task, (n,).

    Parameters
    ----------
    task : as for :func:`row_names`
    n : int
    tasks : ndarray, shape (n_tasks,)
        Those that there are.

    Raises
    ------
    ValueError
        As :func:`row_names`; if a name is unknown; or if there is none, and several tasks.
    """
    known = {name: i for i, name in enumerate(tasks.tolist())}
    if task is None and len(known) == 1:
        return np.zeros(n, np.intp)
    there = ", ".join(map(repr, list(known)[:10])) + (", ..." if len(known) > 10 else "")
    if task is None:
        raise ValueError(
            "task must name the task of the rows, one name for all or one a row; the tasks are "
            + there
        )
    names, where, codes = np.unique(row_names(task, n), return_index=True, return_inverse=True)
    for name, i in zip(names.tolist(), where, strict=True):
        if name not in known:
            raise ValueError(f"task[{i}] is {name!r}; the tasks are {there}")
    return np.array([known[name] for name in names.tolist()], np.intp)[codes]


def given_seeds(seeds: Any, tasks: np.ndarray) -> list[int]:
    """Return the scaffold seed of each task, of those that a user gives by name.

    Parameters
    ----------
    seeds : mapping of name to int
        It may hold other tasks too.
    tasks : ndarray, shape (n_tasks,)

    Raises
    ------
    ValueError
        If it is no mapping, a task is missing, a seed is not one, or two tasks share one.
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
                f"scaffold_seeds gives {first[seed]!r} and {name!r} one seed, {seed}: tasks on one "
                "scaffold cannot be told apart; give each a seed of its own"
            )
        first[seed] = name
    return list(first)


def drawn_seeds(first: int, n: int, random: np.random.RandomState) -> list[int]:
    """Return `n` scaffold seeds that differ, the first of them `first`."""
    seeds = {first: None}  # a set that keeps the order
    while len(seeds) < n:
        seeds[int(random.randint(2**31 - 1))] = None
    return list(seeds)


def with_label(classes: np.ndarray, label: Any) -> np.ndarray:
    """Return classes, (n_classes,), in order, with a label that none of them is.

    Raises
    ------
    ValueError
        If the label is one of them, or of another kind.

    Examples
    --------
    >>> with_label(np.array([1, 2, 3]), -1)
    array([-1,  1,  2,  3])
    """
    values = classes.tolist()
    kinds = {_kind(value) for value in values}
    fits = {_kind(label)} == kinds or (kinds == {float} and _kind(label) is int)
    if not fits or kinds == {bool}:
        what = "text" if kinds == {str} else "a number"
        raise ValueError(
            f"out_of_class must be {what} that no class of y is, as the classes are {values[:10]}; "
            f"got {label!r}"
        )
    if label in values:
        raise ValueError(
            f"out_of_class={label!r} is a class of y; choose a label that no row has, and leave "
            "rows of other tasks out: they are given it in training"
        )
    return np.unique(np.array([*values, label], object if classes.dtype.kind == "O" else None))
