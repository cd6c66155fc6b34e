"""Labels of the nodes of a graph, of which some have none."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

#: The label of nodes without one, as in :mod:`sklearn.semi_supervised`.
UNLABELLED = -1


def labels_of_nodes(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of the nodes that have one, and which nodes these are.

    Parameters
    ----------
    y : array-like, shape (n,) or (n, 1)
        Integers or strings; -1, also among strings, for a node without a label.

    Returns
    -------
    labels : ndarray, shape (n_labelled,)
    known : ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If no node has a label, or an entry is neither a label nor -1. The message names it.

    Examples
    --------
    >>> labels_of_nodes(["left", -1, "right"])
    (array(['left', 'right'], dtype='<U5'), array([ True, False,  True]))
    """
    array = np.asarray(y)
    if isinstance(y, list | tuple) and array.dtype.kind in "US":
        array = np.asarray(y, dtype=object)  # otherwise -1 would become text
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"y must have one label per node, shape (n_nodes,), -1 for a node without a label; got "
            f"shape {array.shape}"
        )
    if array.dtype.kind in "fO":
        for i, label in enumerate(array.tolist()):
            if not _is_label(label):
                raise ValueError(
                    "y must hold class labels, integers or strings, and -1 for a node without one; "
                    f"y[{i}] is {label!r}"
                )
    of_text = array.dtype.kind in "US"
    known = np.ones(len(array), bool) if of_text else np.array(array != UNLABELLED, bool)
    if not known.any():
        raise ValueError("y must have labels; got -1, which stands for no label, for all nodes")
    labels = array[known]
    if labels.dtype == object:
        if len({isinstance(label, str) for label in labels}) > 1:
            raise ValueError(
                "y must hold labels of one kind, integers or strings, and -1 for a node without "
                "one; got both"
            )
        labels = np.array(labels.tolist())
    return labels, known


def _is_label(label: Any) -> bool:
    if isinstance(label, str | Integral | np.bool_):
        return True
    return isinstance(label, Real) and float(label).is_integer()
