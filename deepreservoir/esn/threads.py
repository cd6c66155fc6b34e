"""Work in a thread next to the BLAS, within the number of threads that the BLAS may use.

A limit of one thread (`OPENBLAS_NUM_THREADS`, threadpoolctl, a joblib worker) is therefore kept.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from ..thread_limits import blas_limited, n_threads

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Generator[T]:
    """Yield `items`, the next of which is made in a thread while one is used.

    A thread of the BLAS is given up for it until the generator ends or is closed; if there is only
    one, nothing changes. Close a generator that may be abandoned: one that is referred to, by the
    traceback of an error for example, has not ended.
    """
    threads = n_threads()
    if threads == 1:
        yield from items
        return
    end = object()
    context = copy_context()  # NumPy's handling of overflow among other things

    def advance() -> T | object:
        return context.run(next, items, end)

    with blas_limited(threads - 1, lent=True), ThreadPoolExecutor(1) as pool:
        coming = pool.submit(advance)
        while (item := coming.result()) is not end:
            coming = pool.submit(advance)
            yield item  # type: ignore[misc]


def spread(job: Callable[[slice], None], n: int, step: int) -> None:
    """Do a job that does not hold Python's lock on shares of n things, one share per thread.

    Shares are whole multiples of `step`, but for the last.
    """
    parts = -(-n // step)
    threads = min(n_threads(), parts)
    if threads == 1:
        job(slice(None))
        return
    share = -(-parts // threads) * step
    with ThreadPoolExecutor(threads) as pool:
        shares = [slice(first, first + share) for first in range(0, n, share)]
        for done in [pool.submit(job, some) for some in shares]:
            done.result()
