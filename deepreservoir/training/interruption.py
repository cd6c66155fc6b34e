"""What Ctrl-C does in a training: it keeps the network so far, or ends the surrounding work too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_RAISED: ContextVar[bool] = ContextVar("interruptions_are_raised", default=False)


@contextmanager
def interruptions_raised() -> Iterator[None]:
    """Let Ctrl-C end the block, where a training on its own would keep the network so far.

    Work that compares trainings needs this around each of them, because a network whose training
    was cut short is no result, and an estimator around the network may discard it unseen.

    It applies to this thread. Ctrl-C is raised in the main thread, and so ends what waits there
    for trainings in other threads and processes.

    Examples
    --------
    >>> with interruptions_raised():
    ...     keeps_interrupted_network()
    False
    """
    token = _RAISED.set(True)
    try:
        yield
    finally:
        _RAISED.reset(token)


def keeps_interrupted_network() -> bool:
    """Return whether a training that Ctrl-C interrupts returns its network so far."""
    return not _RAISED.get()
