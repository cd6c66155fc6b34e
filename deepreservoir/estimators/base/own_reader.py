"""The reader of an estimator: what it was made with, and whether training can continue with it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ...inputs import Reader
from ...printable import shortened


class OwnReader:
    """Keeps the reader of a fit with the parameters that it was made with."""

    #: Parameters of the reader that decide what it learns from the first training set, and so must
    #: stay the same while training continues.
    reader_parameters: ClassVar[tuple[str, ...]] = ()

    _reader: Reader
    _read_with: dict[str, Any]

    def _adopt_reader(self, reader: Reader) -> None:
        """Keep a reader that was made with the parameters that are set now."""
        self._reader = reader
        self._read_with = {name: getattr(self, name) for name in self.reader_parameters}

    def _current_reader(self) -> Reader:
        """Return the fitted reader, with what may change about it as it is set now."""
        return self._reader

    def _reads_alike(self, name: str, value: Any) -> bool:
        """Return whether the fitted reader would be the same with this value of a parameter."""
        return bool(np.array_equal(self._read_with[name], value))

    def _same_reader(self) -> Reader:
        """Return the fitted reader, after checking that the parameters still describe it."""
        now = {name: getattr(self, name) for name in self.reader_parameters}
        changed = [
            f"{name}: {shortened(self._read_with[name])} -> {shortened(value)}"
            for name, value in now.items()
            if not self._reads_alike(name, value)
        ]
        if changed:
            raise ValueError(
                "training can only continue with X read as in the first fit; changed since: "
                + ", ".join(changed)
                + ". Fit a fresh estimator, or set warm_start=False"
            )
        return self._current_reader()
