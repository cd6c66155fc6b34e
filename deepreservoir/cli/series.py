"""``fit`` and ``predict`` for series in a long table, with ``--estimator cfc``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from .. import container
from ..datasets.learning_table import TableOptions
from ..experiments.tables.user_series import (
    fit_long_table,
    predict_long_table,
    reads_long_tables,
    save_fitted_series,
)
from .fit_options import refuse_perceptron_options
from .saving import save_model
from .scores import scored
from .table_options import Names

_OPTIONS = (
    click.option(
        "--estimator",
        type=click.Choice(("perceptron", "cfc", "gin", "vit", "plain_cnn", "text_transformer")),
        help="cfc is for series: TABLE has one row per series and time; gin is for molecules, vit "
        "and plain_cnn are for images, text_transformer is for texts.  [default: vit for a folder, "
        "gin with --smiles, text_transformer with --text, otherwise perceptron]",
    ),
    click.option("--id", metavar="COLUMN", help="Column that names the series of a row."),
    click.option("--time", metavar="COLUMN", help="Column of the times: numbers or dates."),
    click.option(
        "--channels",
        type=Names(),
        default=(),
        help="Columns that are measured over time.  [default: all others]",
    ),
)


def series_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of ``fit`` for series."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def series_columns(
    estimator: str,
    options: TableOptions,
    params: Mapping[str, Any],
    *,
    id: str | None,
    time: str | None,
    channels: tuple[str, ...],
) -> dict[str, Any] | None:
    """Return the columns of a long table; None for an estimator whose rows are not steps.

    Raises
    ------
    click.UsageError
        If a column is missing, or an option is for the other estimator.
    """
    named = {"id": id, "time": time, "channels": channels or None}
    if estimator != "cfc":
        for name, value in named.items():
            if value is not None:
                raise click.UsageError(f"--{name} is for series: add --estimator cfc")
        return None
    for name in ("id", "time"):
        if named[name] is None:
            raise click.UsageError(
                f"--estimator cfc needs --{name} COLUMN: a long table has one row per series and "
                "time"
            )
    refuse_perceptron_options(params)
    if options != TableOptions():
        raise click.UsageError(
            "options of tables, such as --columns or --missing, are for --estimator perceptron; "
            "a long table is UTF-8 with a header, and --channels selects its columns"
        )
    return named


def fit_series(
    table: Path,
    path: Path,
    columns: dict[str, Any],
    precision: str | None,
    **params: Any,
) -> None:
    """Fit a model on the series of a long table, save it, and print the score."""
    fitted = fit_long_table(table, **columns, **params)
    n = len(fitted.held_out[1])
    line = f"{scored(fitted.task, fitted.score)} on {n:,} held-out series"
    save_model(
        fitted.model, lambda place: save_fitted_series(fitted, place, precision), path, [line]
    )


def is_of_series(model: Path) -> bool:
    """Return whether a file has a model that was fitted on a long table."""
    return reads_long_tables(container.read(model))


def series_predictions(model: Path, table: Path, device: str, proba: bool) -> str:
    """Return the predictions for the series of a long table as the text of a CSV file."""
    return predict_long_table(model, table, device, proba=proba).to_csv()
