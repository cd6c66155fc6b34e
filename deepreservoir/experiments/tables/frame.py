"""Rows of a table as a data frame, for pipelines that select columns by name."""

from __future__ import annotations

import csv
import io
from importlib.util import find_spec
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from ...datasets.cells import Table

# What takes words, or missing values, and not only numbers.
_READS_CELLS = (ColumnTransformer, OneHotEncoder, OrdinalEncoder, SimpleImputer)


def reads_frame(model: Any) -> bool:
    """Return whether a model is a pipeline that was fitted on named columns of any type."""
    if not isinstance(model, Pipeline) or not hasattr(model, "feature_names_in_"):
        return False
    return isinstance(model.steps[0][1], _READS_CELLS)


def frame_of(model: Any, table: Table) -> Any:
    """Return the columns of a table that a pipeline was fitted on, as a pandas.DataFrame.

    Their types are those that :func:`pandas.read_csv` finds, as it presumably did for the rows that
    the pipeline was fitted on.

    Parameters
    ----------
    model : Pipeline
        One for which :func:`reads_frame` is True.
    table : Table

    Raises
    ------
    ValueError
        If the table lacks a column that the pipeline uses, or pandas is not installed.
    """
    if find_spec("pandas") is None:
        raise ValueError(
            "the model selects columns by name, for which predictions need pandas: "
            "pip install pandas"
        )
    import pandas as pd

    names = [name for name in model.feature_names_in_ if name in table.columns]
    missing = sorted(_used(model) - set(names))
    if missing:
        raise ValueError(
            f"{table.path} has no column {missing[0]!r}, which the model needs; it has "
            f"{', '.join(table.columns)}"
        )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(zip(*(table.columns[name] for name in names), strict=True))
    text.seek(0)
    return pd.read_csv(text, skip_blank_lines=False)


def _used(model: Any) -> set[str]:
    """Return the columns that the first step of a pipeline does not drop."""
    step = model.steps[0][1]
    if not isinstance(step, ColumnTransformer):
        return set(step.feature_names_in_)
    indices = step._transformer_to_input_indices
    parts = [(name, part) for name, part, _ in step.transformers_]
    return {
        step.feature_names_in_[i]
        for name, part in parts
        if not isinstance(part, str) or part != "drop"
        for i in indices[name]
    }
