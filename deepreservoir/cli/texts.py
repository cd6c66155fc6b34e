"""``fit`` and ``predict`` for texts in a table, with ``--text``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from ..datasets.learning_table import TableOptions
from ..experiments.tables.sample_column import save_fitted_samples
from ..experiments.tables.user_texts import TEXTS, fit_text_table
from .base import check_installed
from .fit_options import check_sample_options
from .saving import save_model
from .scores import compared, scored

ESTIMATOR = "text_transformer"

_OPTIONS = (
    click.option(
        "--text", metavar="COLUMN", help="Column with the texts: TABLE has one row per text."
    ),
    click.option(
        "--vocabulary",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with one word piece on each line, for texts.  [default: byte pairs, which are "
        "trained on the texts]",
    ),
    click.option(
        "--max-length",
        type=click.IntRange(min=1),
        help="Maximum number of tokens read of a text.  [default: 512]",
    ),
)


def text_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of ``fit`` for texts."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_text_options(
    estimator: str,
    text: str | None,
    options: TableOptions,
    params: Mapping[str, Any],
    own: Mapping[str, Any],
) -> None:
    """Raise an error if an option is missing or is not for texts, or without tokenizers.

    Parameters
    ----------
    estimator : str
    text : str or None
    options : TableOptions
    params : mapping
        Options of other estimators.
    own : mapping
        Options of texts beside the column.
    """
    if estimator != ESTIMATOR:
        for name, value in {"text": text, **own}.items():
            if value is not None:
                option = "--" + name.replace("_", "-")
                raise click.UsageError(
                    f"{option} is for --estimator {ESTIMATOR}, not for {estimator}"
                )
        return
    check_sample_options(TEXTS, estimator, text, options, params)
    check_tokenizers()


def check_tokenizers() -> None:
    """Raise an error if the library that reads texts is not installed."""
    check_installed("tokenizers", "reading texts needs the library tokenizers", "text")


def fit_texts(
    table: Path,
    path: Path,
    text: str,
    options: TableOptions,
    precision: str | None,
    **params: Any,
) -> None:
    """Fit a model on the texts of a table, save it, and print the score."""
    fitted = fit_text_table(
        table, text, delimiter=options.delimiter, encoding=options.encoding, **params
    )
    score, n = scored(fitted.task, fitted.score), len(fitted.held_out[1])
    lines = compared(score, TEXTS.name, n, fitted.references)
    save_model(
        fitted.model, lambda place: save_fitted_samples(fitted, place, precision), path, lines
    )
