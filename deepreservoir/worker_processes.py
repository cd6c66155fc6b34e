"""How a worker process behaves when its parent is interrupted or killed."""

from __future__ import annotations

import os
import signal
import time
from functools import cache
from threading import Thread, current_thread, main_thread


@cache
def leave_ctrl_c_to_the_parent() -> None:
    """Ignore Ctrl-C, which a terminal sends to all its processes: the parent ends its workers.

    Otherwise a worker that is interrupted between two runs prints a traceback.
    """
    if current_thread() is main_thread():  # of the worker; only there can a handler be set
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def exit_with_parent(parent: int) -> None:
    """End this process soon after its parent, in case the parent is killed.

    Otherwise it would finish a run that nobody records, and keep its memory for minutes.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
