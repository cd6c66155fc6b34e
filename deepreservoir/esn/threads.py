"""Work beside the BLAS: in as many threads as the BLAS may use, and no more.

So whoever asks for one thread (`OPENBLAS_NUM_THREADS`, threadpoolctl, a worker of joblib) gets one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looking through the loaded libraries takes milliseconds


def _blas() -> ThreadpoolController:
    return _controller().select(user_api="blas")


def n_threads() -> int:
    """Return the number of threads that the BLAS may use now."""
    return max((library["num_threads"] for library in _blas().info()), default=1)


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield `items`, the next of which is made in a thread while one is used.

    A thread of the BLAS is given up for it meanwhile; if there is only one, nothing changes.
    """
    threads = n_threads()
    if threads == 1:
        yield from items
        return
    end = object()
    context = copy_context()  # NumPy's handling of overflow among other things

    def advance() -> T | object:
        return context.run(next, items, end)

    with _blas().limit(limits=threads - 1), ThreadPoolExecutor(1) as pool:
        coming = pool.submit(advance)
        while (item := coming.result()) is not end:
            coming = pool.submit(advance)
            yield item  # type: ignore[misc]


def spread(job: Callable[[slice], None], n: int, step: int) -> None:
    """Do a job that does not hold Python's lock on shares of n things, one share a thread.

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
