"""Checks of ``fit`` for options that do not belong to the samples that a model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from ..datasets.learning_table import TableOptions
from ..experiments.tables.sample_column import SampleKind


def refuse_perceptron_options(given: Mapping[str, Any], bias: bool = False) -> None:
    """Raise an error if options are given that only perceptrons have.

    Parameters
    ----------
    given : mapping
        Options of networks.
    bias : bool, default=False
        Whether the estimator has the parameter `bias` too.
    """
    if given.get("hidden_layer_sizes") is None and (bias or given.get("bias") is None):
        return
    names = "--layers is" if bias else "--layers, --bias and --no-bias are"
    raise click.UsageError(f"{names} for --estimator perceptron")


def check_sample_options(
    kind: SampleKind,
    estimator: str,
    column: str | None,
    options: TableOptions,
    given: Mapping[str, Any],
    bias: bool = False,
) -> None:
    """Raise an error if the column of samples is missing, or an option is for other tables.

    Parameters
    ----------
    kind : SampleKind
    estimator : str
        The estimator of these samples.
    column : str or None
        The column of the samples.
    options : TableOptions
    given, bias
        As in :func:`refuse_perceptron_options`.
    """
    if column is None:
        raise click.UsageError(
            f"--estimator {estimator} needs --{kind.column} COLUMN: it reads {kind.name}"
        )
    refuse_perceptron_options(given, bias)
    if replace(options, delimiter=",", encoding=None) != TableOptions():
        raise click.UsageError(
            "--columns, --drop, --task, --missing and --no-header are for --estimator perceptron; "
            f"a table of {kind.name} has a header, and --{kind.column} selects its column"
        )
