"""Limits of the threads of BLAS and OpenMP, counted so that the last one to end restores them.

The threads of a BLAS mostly belong to the whole process. A limit that saves the number it finds and
restores it later may end while another is in force, which was begun in another thread or in a
generator: then the process keeps a limit that nobody asked for. Here the first limit lowers the
number of threads, the strictest in force decides, and the last one restores what the first found.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from threadpoolctl import ThreadpoolController


class _Limit(NamedTuple):
    n_threads: int
    lent: bool


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looking through the loaded libraries takes milliseconds


def _is_per_thread(library: Any) -> bool:
    """Return whether each thread has its own number: since threadpoolctl 3.6 where OpenMP has."""
    new = hasattr(library, "clear_controlling_thread")
    return new and getattr(library, "threading_layer", "") == "openmp"


def _set_number(library: Any, n: int) -> None:
    """Set the number of threads, from whichever thread this is.

    Since version 3.6, threadpoolctl ignores all threads but the first that has set a number.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(n)
    if release is not None:
        release(force=True)


class _Limits:
    """Limits in force of the libraries whose numbers belong to the process, or to one thread."""

    # Reentrant, because the garbage collector may end a limit while this thread changes another.
    lock = threading.RLock()

    def __init__(self, per_thread: bool) -> None:
        self.per_thread = per_thread
        self.thread = threading.get_ident()
        self.in_force: list[_Limit] = []
        self.before: list[tuple[Any, int]] = []  # libraries, with their threads before the first

    def now(self) -> list[tuple[Any, int]]:
        """Return each BLAS of this kind, with the number of threads that it may use now."""
        libraries = _controller().select(user_api="blas").lib_controllers
        mine = [each for each in libraries if _is_per_thread(each) is self.per_thread]
        return [(each, n) for each in mine if (n := each.num_threads) is not None]

    def numbers(self) -> list[int]:
        """Return the numbers of threads of the libraries, those that are lent among them."""
        while True:
            libraries = tuple(self.before)
            limits = [limit.n_threads for limit in tuple(self.in_force) if not limit.lent]
            if libraries:
                return [min([n, *limits]) for _, n in libraries]
            numbers = [n for _, n in self.now()]
            if not self.before:  # else a limit has begun meanwhile, which may have lowered them
                return numbers

    def begin(self, limit: _Limit) -> None:
        with self.lock:
            if not self.before:
                self.before.extend(self.now())
            self.in_force.append(limit)
            self._apply()

    def end(self, limit: _Limit) -> None:
        with self.lock:
            self.in_force.remove(limit)
            # Of a thread that is not this one, nothing can be set; its next limit will.
            if not self.per_thread or self.thread == threading.get_ident():
                self._apply()

    def _apply(self) -> None:
        libraries = tuple(self.before)
        while True:
            limits = tuple(self.in_force)
            for library, n in libraries:
                _set_number(library, min([n, *(limit.n_threads for limit in limits)]))
            if tuple(self.in_force) == limits:  # else the garbage collector has ended one
                break
        if not limits:
            self.before.clear()


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.limits = _Limits(per_thread=True)


_process = _Limits(per_thread=False)
_thread = _OfThread()


def n_threads() -> int:
    """Return the number of threads that the BLAS may use, those that are lent among them."""
    return max([*_process.numbers(), *_thread.limits.numbers()], default=1)


@contextmanager
def blas_limited(limit: int, *, lent: bool = False) -> Iterator[None]:
    """Let the BLAS use at most `limit` threads.

    Parameters
    ----------
    limit : int
    lent : bool, default=False
        Whether the threads taken from the BLAS are used for work next to it: :func:`n_threads`
        still counts them, so that work done at the same time elsewhere is divided as if it were
        done alone.

    Examples
    --------
    >>> before = n_threads()
    >>> with blas_limited(1):
    ...     n_threads()
    1
    >>> n_threads() == before
    True
    """
    own, scopes = _Limit(limit, lent), (_process, _thread.limits)
    for scope in scopes:
        scope.begin(own)
    try:
        yield
    finally:
        for scope in scopes:
            scope.end(own)


@contextmanager
def limited(limit: int) -> Iterator[None]:
    """Let BLAS and OpenMP use at most `limit` threads; OpenMP in this thread alone."""
    _controller.cache_clear()  # libraries may have been loaded since
    # A with statement begins and ends in one thread, as OpenMP's own limits have to.
    with blas_limited(limit), _controller().select(user_api="openmp").limit(limits=limit):
        yield
