"""Series that are DataFrames: their values in the order of time, and their times."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...datasets.time_axis import NotTimes, TimeAxis, is_time_name, sorted_axis
from ...frames import column_names, is_frame
from ...user_warnings import warn_user


def series_of(series: Any) -> tuple[Any, tuple[str, ...] | None, TimeAxis | None, Any]:
    """Return the values of a series and, for a DataFrame, its names, its times and its index.

    Rows are sorted by an index of times, and missing times are warned of.

    Parameters
    ----------
    series : array-like, DataFrame or Series

    Returns
    -------
    values : array-like, shape (time, n_columns)
    names : tuple of str, or None for an array
    times : TimeAxis, or None if there are none
    index : pandas Index in the order of the values, or None for an array

    Raises
    ------
    ValueError
        If times are missing, repeated or unequally spaced, or if a column is not numeric.
    """
    if not is_frame(series):
        return series, None, None, None
    names = tuple("x0" if name is None else str(name) for name in column_names(series))
    if series.ndim == 1:
        series = series.to_frame()
    for name, kind in zip(names, series.dtypes, strict=True):
        if kind.kind not in "biuf":
            remedy = "" if kind.kind in "bc" else f". Make times the index: set_index({name!r})"
            raise ValueError(f"column {name!r} must be numeric to be forecast; got {kind}{remedy}")
    index = series.index
    times = None
    dated = index.dtype.kind == "M" or "period" in str(index.dtype)
    if dated or (index.name is not None and is_time_name(str(index.name))):
        if index.hasnans:
            row = int(np.flatnonzero(index.isna())[0])
            raise ValueError(f"the index of the series: row {row} has no time (NaT)")
        try:
            times, order = sorted_axis(str(index.name or "time"), _cells(index))
        except NotTimes as error:
            raise ValueError(f"the index of the series: {error}") from None
        series, index = series.iloc[order], index[order]
        note = gaps(times)
        if note:
            warn_user(note)
    return series.to_numpy(np.float64), names, times, index


def _cells(index: Any) -> list[str]:
    if index.dtype.kind != "M" and hasattr(index, "to_timestamp") and index.freqstr[0] in "WB":
        index = index.to_timestamp()  # the text of a week is its first and its last day
    return [str(cell) for cell in index.astype(str)]


def gaps(times: TimeAxis) -> str:
    """Return which times are missing between others, or an empty text."""
    missing = times.missing()
    if not len(missing):
        return ""
    some = ", ".join(times.text(missing[:3])) + (", ..." if len(missing) > 3 else "")
    n, total = len(missing), len(times) + len(missing)
    return (
        f"{n:,} of {total:,} times {'is' if n == 1 else 'are'} missing ({some}); the rows are "
        "taken as consecutive steps"
    )
