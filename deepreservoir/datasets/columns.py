"""The encoding of the columns of a table: their names, and the categories of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .cells import Table, number_of


@dataclass(frozen=True)
class Columns:
    """Columns of a table, encoded as features of a model.

    Parameters
    ----------
    target : str
        Name of the target column.
    words : dict of str to tuple of str, or None
        Categories of each feature column, in order; every category becomes one feature. None for
        a numeric column.

    Examples
    --------
    >>> columns = Columns("price", {"size": None, "kind": ("flat", "house")})
    >>> columns.feature_names
    ['size', 'kind=flat', 'kind=house']
    """

    target: str
    words: dict[str, tuple[str, ...] | None]

    @classmethod
    def of(cls, table: Table, target: str) -> Columns:
        """Return the encoding of all columns of a table but its target."""
        words: dict[str, tuple[str, ...] | None] = {}
        for name, cells in table.columns.items():
            if name != target:
                numbers = table.finite(name)
                words[name] = tuple(np.unique(cells).tolist()) if numbers is None else None
        return cls(target, words)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        names = []
        for name, words in self.words.items():
            names += [name] if words is None else [f"{name}={word}" for word in words]
        return names

    def encode(self, table: Table) -> np.ndarray:
        """Return the features of the rows of a table: float64, (n, n_features).

        Raises
        ------
        ValueError
            If a column is missing, a numeric column contains text, or a category is unknown.
        """
        parts = []
        for name, words in self.words.items():
            if name not in table.columns:
                raise ValueError(
                    f"{table.path} has no column {name!r}, which the model needs; it has "
                    f"{', '.join(table.columns)}"
                )
            if words is None:
                parts.append(self._numbers(table, name)[:, None])
                continue
            cells = np.array(table.columns[name])
            new = np.flatnonzero(~np.isin(cells, words))
            if len(new):
                raise ValueError(
                    f"{table.path}, row {table.lines[new[0]]}, column {name!r}: unknown category "
                    f"{str(cells[new[0]])!r}; the model was trained on {', '.join(words[:20])}"
                )
            parts.append((cells[:, None] == np.array(words)).astype(np.float64))
        return np.hstack(parts)

    @staticmethod
    def _numbers(table: Table, name: str) -> np.ndarray:
        numbers = table.finite(name)
        if numbers is not None:
            return numbers
        for line, cell in zip(table.lines, table.columns[name], strict=True):
            try:
                number_of(cell)
            except ValueError:
                raise ValueError(
                    f"{table.path}, row {line}, column {name!r}: expected a number, got {cell!r}"
                ) from None
        raise AssertionError("a column that is not numeric has a cell that is not a number")

    def to_dict(self) -> dict[str, Any]:
        """Return a description that can be written as JSON."""
        words = [[name, None if w is None else list(w)] for name, w in self.words.items()]
        return {"target": self.target, "columns": words}

    @classmethod
    def from_dict(cls, data: Any, path: Path) -> Columns:
        """Return the columns described by the result of :meth:`to_dict`.

        Raises
        ------
        ValueError
            If `data`, which was read from `path`, is not such a description.
        """

        def is_column(pair: Any) -> bool:
            return (
                isinstance(pair, list)
                and len(pair) == 2
                and type(pair[0]) is str
                and (
                    pair[1] is None
                    or (isinstance(pair[1], list) and all(type(word) is str for word in pair[1]))
                )
            )

        valid = isinstance(data, dict) and set(data) == {"target", "columns"}
        valid = valid and type(data["target"]) is str and isinstance(data["columns"], list)
        if not valid or not data["columns"] or not all(map(is_column, data["columns"])):
            raise ValueError(f"{path}: the description of the table's columns is malformed")
        words = {name: None if w is None else tuple(w) for name, w in data["columns"]}
        return cls(data["target"], words)
