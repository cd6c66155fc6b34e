"""Limits on BLAS and OpenMP threads, counted so that the last one to end restores the original.

The number of threads of a BLAS mostly belongs to the whole process. A limit that saves the number
at its start and restores it at its end may overlap with another limit, started in another thread or
in a generator: the process may then keep a limit that nobody requested. Here the first limit lowers
the number of threads, the strictest limit in force applies, and the last one restores the number
from before the first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from functools import cache
from typing import Any, NamedTuple, TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")


class _Limit(NamedTuple):
    n_threads: int
    lent: bool


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # scanning the loaded libraries takes milliseconds


@cache
def _blas_libraries(per_thread: bool) -> list[Any]:
    """Return the loaded BLAS whose numbers of threads belong to a thread, or to the process."""
    libraries = _controller().select(user_api="blas").lib_controllers
    return [each for each in libraries if _is_per_thread(each) is per_thread]


def _scan_again() -> None:
    """Have libraries found that were loaded since the last scan."""
    _controller.cache_clear()
    _blas_libraries.cache_clear()


def _is_per_thread(library: Any) -> bool:
    """Return whether each thread has its own limit: with OpenMP, since threadpoolctl 3.6."""
    new = hasattr(library, "clear_controlling_thread")
    return new and getattr(library, "threading_layer", "") == "openmp"


def _set_number(library: Any, n: int) -> None:
    """Set the number of threads, from any thread.

    Since version 3.6, threadpoolctl ignores every thread except the first that has set a number.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(n)
    if release is not None:
        release(force=True)


class _Limits:
    """Limits in force on libraries whose thread counts belong to the process, or to a thread."""

    # Reentrant, because the garbage collector may end a limit while this thread changes another.
    lock = threading.RLock()

    def __init__(self, per_thread: bool) -> None:
        self.per_thread = per_thread
        self.thread = threading.get_ident()
        self.in_force: list[_Limit] = []
        self.before: list[tuple[Any, int]] = []  # libraries and their threads before the first

    def now(self) -> list[tuple[Any, int]]:
        """Return each BLAS of this kind, with the number of threads that it may use now."""
        libraries = _blas_libraries(self.per_thread)
        return [(each, n) for each in libraries if (n := each.num_threads) is not None]

    def numbers(self) -> list[int]:
        """Return the number of threads of each library, including threads that are lent."""
        while True:
            libraries = tuple(self.before)
            limits = [limit.n_threads for limit in tuple(self.in_force) if not limit.lent]
            if libraries:
                return [min([n, *limits]) for _, n in libraries]
            numbers = [n for _, n in self.now()]
            if not self.before:  # otherwise a limit has started, which may have lowered them
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
            # Another thread's number cannot be set from here; that thread's next limit sets it.
            if not self.per_thread or self.thread == threading.get_ident():
                self._apply()

    def _apply(self) -> None:
        libraries = tuple(self.before)
        while True:
            limits = tuple(self.in_force)
            for library, n in libraries:
                _set_number(library, min([n, *(limit.n_threads for limit in limits)]))
            if tuple(self.in_force) == limits:  # otherwise the garbage collector has ended one
                break
        if not limits:
            self.before.clear()


class _ThreadLimits(threading.local):
    def __init__(self) -> None:
        self.limits = _Limits(per_thread=True)


_process = _Limits(per_thread=False)
_thread = _ThreadLimits()


def n_threads() -> int:
    """Return the number of threads that the BLAS may use, including those that are lent."""
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
    new, scopes = _Limit(limit, lent), (_process, _thread.limits)
    for scope in scopes:
        scope.begin(new)
    try:
        yield
    finally:
        for scope in scopes:
            scope.end(new)


@contextmanager
def limited(limit: int) -> Iterator[None]:
    """Let BLAS and OpenMP use at most `limit` threads; OpenMP in this thread only."""
    _scan_again()
    # A with statement starts and ends in one thread, as limits on OpenMP must.
    with blas_limited(limit), _controller().select(user_api="openmp").limit(limits=limit):
        yield


_blas_lent: ContextVar[bool] = ContextVar("blas_lent", default=False)


@contextmanager
def blas_lent() -> Iterator[None]:
    """Lend the threads of the BLAS to :func:`in_shares`, for all of its calls in a with block.

    After a product with several threads, those of the BLAS keep spinning for a while, and take the
    processors from shares that follow.
    """
    with blas_limited(1, lent=True):
        token = _blas_lent.set(True)
        try:
            yield
        finally:
            _blas_lent.reset(token)


def in_shares(job: Callable[[slice], T], n: int, step: int) -> list[T]:
    """Return the results of a job on shares of n things, one share per thread, in their order.

    Each thread's products use one BLAS thread: many small products are then faster than with all
    threads in each of them. Within a share, a further division uses the share's thread alone.

    Parameters
    ----------
    job : callable
        Share of the things -> result.
    n : int
    step : int
        Shares are whole multiples of it, but for the last.

    Examples
    --------
    >>> sum(in_shares(lambda share: share.stop - share.start, n=10, step=3))
    10
    """
    parts = -(-n // step)
    threads = min(n_threads(), parts) if parts > 1 and not _inside.is_set else 1
    if threads == 1:
        return [job(slice(0, n))]
    size = -(-parts // threads) * step
    shares = [slice(first, min(first + size, n)) for first in range(0, n, size)]

    def marked(share: slice) -> T:
        _inside.is_set = True
        try:
            return job(share)
        finally:
            _inside.is_set = False

    with nullcontext() if _blas_lent.get() else blas_limited(1, lent=True):
        others = [_pool().submit(copy_context().run, marked, share) for share in shares[1:]]
        try:
            first = marked(shares[0])
        finally:
            wait(others)  # they write into arrays of the caller
        return [first, *(other.result() for other in others)]


class _Inside(threading.local):
    """Whether this thread works on a share; what it divides in turn it does on its own."""

    is_set = False


_inside = _Inside()


@cache
def _pool() -> ThreadPoolExecutor:
    """Return the threads that work on shares: starting them anew would take longer than a share."""
    return ThreadPoolExecutor(max(32, os.cpu_count() or 1), "deepreservoir")


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
