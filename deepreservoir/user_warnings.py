"""Warnings that point at the caller's line."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parent) + os.sep

# Packages that call this one on the user's behalf; a warning should not point at their lines.
_CALLERS = frozenset(
    {
        "click",
        "concurrent",
        "contextlib",
        "functools",
        "joblib",
        "multiprocessing",
        "sklearn",
        "threading",
    }
)


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that points at the line outside this package that led to the call.

    Lines of scikit-learn, joblib, click and of the standard library's threads and processes are
    skipped as well. If there is no other line, the warning points at the outermost one.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("the loss is high")
    >>> str(caught[0].message)
    'the loss is high'
    """
    level, frame = 1, sys._getframe()
    while _is_skipped(frame) and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_skipped(frame: FrameType) -> bool:
    if frame.f_code.co_filename.startswith(_PACKAGE):
        return True
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _CALLERS
