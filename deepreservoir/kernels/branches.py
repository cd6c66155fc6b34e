"""Branches of a captured graph, which a device runs beside each other.

Outside a capture nothing changes: work in a branch is done at once, in order. In a capture, it is
recorded on a stream of its own, from a fork of the main stream to the next join. What a branch
reads must not be written until then: neither by other work, nor by giving its memory to another
array, so arrays are held until the join.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ..backend import Array, device_module

_SAME: AbstractContextManager[None] = nullcontext()


class Branches:
    """The branches of one stream, by name."""

    def __init__(self, main: Any) -> None:
        self._main = main
        self._streams: dict[str, Any] = {}
        self._open: dict[str, list[Array]] = {}

    @property
    def streams(self) -> list[Any]:
        """The streams of all branches so far."""
        return list(self._streams.values())

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Let :func:`aside` open branches within a with block; joins them at its end."""
        _recording.branches = self
        try:
            yield
            self.join(*self._open)
        finally:
            _recording.branches = None
            self._open.clear()

    @contextmanager
    def aside(self, name: str, arrays: tuple[Array | None, ...]) -> Iterator[None]:
        cuda = device_module("cuda").cuda
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = cuda.Stream()
        self._wait(stream, self._main)
        self._open.setdefault(name, []).extend(array for array in arrays if array is not None)
        with stream:
            yield

    def join(self, *names: str) -> None:
        for name in names:
            if name in self._open:
                self._wait(self._main, self._streams[name])
        for name in names:
            self._open.pop(name, None)

    @staticmethod
    def _wait(stream: Any, other: Any) -> None:
        event = device_module("cuda").cuda.Event(disable_timing=True)
        event.record(other)
        stream.wait_event(event)


class _Recording(threading.local):
    branches: Branches | None = None


_recording = _Recording()


def aside(name: str, *arrays: Array | None) -> AbstractContextManager[None]:
    """Return a context whose work may be done beside what follows it, until :func:`join`.

    Parameters
    ----------
    name : str
        Work of one name is done in order.
    *arrays : array or None
        What the work reads and writes; held until the join.
    """
    branches = _recording.branches
    return _SAME if branches is None else branches.aside(name, arrays)


def join(*names: str) -> None:
    """Wait for the work of these branches."""
    if _recording.branches is not None:
        _recording.branches.join(*names)
