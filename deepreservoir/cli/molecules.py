"""``fit`` and ``predict`` for molecules in a table, with ``--smiles``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..datasets.learning_table import TableOptions
from ..experiments.tables.sample_column import save_fitted_samples
from ..experiments.tables.user_molecules import MOLECULES, fit_molecule_table
from .base import check_installed
from .fit_options import check_sample_options
from .saving import save_model
from .scores import scored

smiles_option = click.option(
    "--smiles",
    metavar="COLUMN",
    help="Column with the SMILES of molecules: TABLE has one row per molecule.",
)


def check_molecule_options(
    estimator: str, smiles: str | None, options: TableOptions, params: Mapping[str, Any]
) -> None:
    """Raise an error if an option is missing or is not for molecules, or without RDKit."""
    if estimator != "gin":
        raise click.UsageError(f"--smiles is for --estimator gin, not for {estimator}")
    check_sample_options(MOLECULES, estimator, smiles, options, params, bias=True)
    check_rdkit()


def check_rdkit() -> None:
    """Raise an error if the library that reads molecules is not installed."""
    check_installed("rdkit", "reading SMILES needs RDKit", "molecules")


def fit_molecules(
    table: Path,
    path: Path,
    smiles: str,
    options: TableOptions,
    precision: str | None,
    **params: Any,
) -> None:
    """Fit a model on the molecules of a table, save it, and print the score."""
    fitted = fit_molecule_table(
        table, smiles, delimiter=options.delimiter, encoding=options.encoding, **params
    )
    area = "" if fitted.roc_auc is None else f", area under the ROC curve {fitted.roc_auc:.4f},"
    n = len(fitted.held_out[1])
    line = f"{scored(fitted.task, fitted.score)}{area} on {n:,} held-out {MOLECULES.name}"
    save_model(
        fitted.model, lambda place: save_fitted_samples(fitted, place, precision), path, [line]
    )
