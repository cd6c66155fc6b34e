"""The axes to draw on; matplotlib is imported when something is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np


def axes_of(ax: Any, panels: int, drawer: str, in_row: bool = False) -> tuple[Any, np.ndarray]:
    """Return a figure and its axes (panels,): those given, or new ones.

    Parameters
    ----------
    ax : matplotlib Axes, sequence of Axes or None
    panels : int
    drawer : str
        What draws, for error messages.
    in_row : bool, default=False
        Whether new axes are side by side, for images, rather than one below the other.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the number of axes is not that of the panels.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(f"{drawer} needs matplotlib: pip install 'deepreservoir[plot]'") from None
    if ax is None and in_row:
        figure, axes = plt.subplots(
            1, panels, squeeze=False, figsize=(2.0 * panels, 2.4), layout="constrained"
        )
        return figure, axes[0]
    if ax is None:
        height = max(4.8, 1.0 + 2.0 * panels)
        figure, axes = plt.subplots(
            panels, 1, sharex=True, squeeze=False, figsize=(6.4, height), layout="constrained"
        )
        return figure, axes[:, 0]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != panels:
        several = f"{panels} axes, one for each {'picture' if in_row else 'output'}"
        raise ValueError(
            f"ax must be {'a single Axes' if panels == 1 else several}, or None for new ones; got "
            f"{len(axes)}"
        )
    return axes[0].figure, axes
