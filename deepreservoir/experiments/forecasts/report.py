"""Reports of a comparison of forecasts: a table and, with matplotlib, a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..comparisons.report import markdown
from ..comparisons.results import write_atomically
from .comparison import AHEAD, SERIES, ForecastComparison

FORECAST_LABELS = {
    "echo_state": "echo-state network",
    "nvar": "NVAR (lags and their products)",
    "deep_reservoir": "deep reservoir on lag windows",
    "deep_full": "the same, every weight trained",
    "linear": "linear on lag windows",
    "persistence": "persistence",
}

_COLOURS = {
    "echo_state": "#0b6e4f",
    "nvar": "#c8553d",
    "deep_reservoir": "#3d7ea6",
    "deep_full": "#7a6fac",
    "linear": "#b08e3c",
    "persistence": "#9a9a9a",
}
_SHOWN = 400  # number of plotted steps of a closed loop


def forecast_table(comparison: ForecastComparison) -> str:
    """Return the summary, medians over seeds, as a Markdown table.

    Parameters
    ----------
    comparison : ForecastComparison

    Returns
    -------
    str
        One line for each arm and rank, without a line break at the end. A closed loop whose error
        84 steps ahead exceeds 1000 standard deviations is shown as "diverged".

    Examples
    --------
    >>> from deepreservoir.experiments import compare_forecasts, forecast_table
    >>> arms = ("linear", "persistence")
    >>> comparison = compare_forecasts("mackey_glass", seeds=1, arms=arms)
    >>> for line in forecast_table(comparison).splitlines():
    ...     print(line[:48])
    | forecast              | rank | NRMSE, 1 step |
    | --------------------- | ---: | ------------: |
    | linear on lag windows |      |       0.00048 |
    | persistence           |      |          0.14 |
    """
    head = [
        "forecast",
        "rank",
        "NRMSE, 1 step",
        f"{AHEAD} steps",
        f"valid, {comparison.unit}",
        "trained parameters",
        "stored bytes",
        "seconds",
    ]
    task = SERIES[comparison.series]
    longest = task.horizon * task.dt / task.unit_time
    rows = [
        [
            FORECAST_LABELS[row.arm],
            "" if row.rank is None else str(row.rank),
            f"{row.error_1:.2g}",
            "diverged" if row.error_84 > 1e3 else f"{row.error_84:.2g}",
            ("≥ " if row.valid_time >= longest - 1e-9 else "") + _time(row.valid_time),
            f"{row.trained:,}",
            f"{row.stored_bytes:,}",
            f"{row.seconds:.2f}",
        ]
        for row in comparison.summary()
    ]
    return markdown([head, *rows])


def _time(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def save_forecast_table(comparison: ForecastComparison, folder: str | Path) -> Path:
    """Write table.md into `folder` and return its path.

    Parameters
    ----------
    comparison : ForecastComparison
    folder : str or Path
        It is created if necessary.

    Returns
    -------
    Path
        Path of the file, which is written atomically.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import compare_forecasts, save_forecast_table
    >>> comparison = compare_forecasts("mackey_glass", arms=("persistence",))
    >>> with TemporaryDirectory() as folder:
    ...     path = save_forecast_table(comparison, folder)
    ...     path.name, path.read_text().splitlines()[0]
    ('table.md', '# mackey_glass: no arm uses a seed, 20...')
    """
    path = Path(folder) / "table.md"
    n_seeds = len({record.seed for record in comparison.records} - {None})
    seeds = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}" if n_seeds else "no arm uses a seed"
    state = "" if comparison.complete else " (interrupted, incomplete)"
    head = f"# {comparison.series}: {seeds}, {comparison.date}{state}\n\n"
    write_atomically(path, head + forecast_table(comparison) + "\n")
    return path


def save_comparison_picture(comparison: ForecastComparison, folder: str | Path) -> Path | None:
    """Plot the forecasts of each arm from one start, and the growth of errors, as forecasts.png.

    Parameters
    ----------
    comparison : ForecastComparison
    folder : str or Path
        It is created if necessary.

    Returns
    -------
    Path or None
        Path of the file; None if matplotlib (the extra ``plot``) is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import compare_forecasts, save_comparison_picture
    >>> comparison = compare_forecasts("mackey_glass", arms=("persistence",))
    >>> with TemporaryDirectory() as folder:
    ...     save_comparison_picture(comparison, folder).name
    'forecasts.png'
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    task = SERIES[comparison.series]
    arms = _one_of_each(comparison)
    figure = Figure(figsize=(11, 1.2 + 0.95 * max(len(arms), 4)), layout="constrained")
    sides: Any = figure.subfigures(1, 2, width_ratios=(3, 2))
    left, right = sides
    panels = np.atleast_1d(left.subplots(len(arms), 1, sharex=True, sharey=True))
    time = np.arange(1, _SHOWN + 1) * task.dt / task.unit_time
    growth = right.subplots()
    spread = np.abs(comparison.truth[:, 0]).max()
    for panel, key in zip(panels, arms, strict=True):
        colour, label = _COLOURS[key[0]], FORECAST_LABELS[key[0]]
        label += "" if key[1] is None else f", rank {key[1]}"
        panel.plot(time, comparison.truth[:_SHOWN, 0], color="#c4c8ce", lw=2.5)
        loop = np.clip(comparison.loops[key][:_SHOWN, 0], -2 * spread, 2 * spread)
        panel.plot(time, loop, color=colour, lw=1.2)
        panel.set_title(label, fontsize=9, loc="left", pad=2, color=colour)
        panel.set_ylim(-1.4 * spread, 1.4 * spread)
        panel.set_yticks([])
        panel.spines[["top", "right", "left"]].set_visible(False)
        steps = np.arange(1, task.horizon + 1) * task.dt / task.unit_time
        errors = np.minimum(comparison.growth[key], 1e3)
        growth.plot(steps, errors, color=colour, lw=1.4, label=label)
    panels[-1].set_xlabel(f"{comparison.unit} after the start (grey: true series)")
    growth.axhline(0.4, color="#6b7280", lw=1, ls=":")
    growth.set(
        yscale="log",
        xlabel=f"{comparison.unit} ahead",
        ylabel=f"NRMSE over {task.n_starts} starts",
        ylim=(None, 10),
    )
    growth.grid(alpha=0.25, linewidth=0.6)
    growth.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{comparison.series}: closed loops", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    path = Path(folder) / "forecasts.png"
    write_atomically(path, buffer.getvalue())
    return path


def _one_of_each(comparison: ForecastComparison) -> list[tuple[str, int | None]]:
    """Return each arm with its largest rank, in the order of the tables."""
    best: dict[str, int | None] = {}
    for row in comparison.summary():
        best[row.arm] = row.rank
    return list(best.items())
