"""``fit`` and ``predict`` for molecules in a table, with ``--smiles``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .. import container
from ..datasets.learning_table import TableOptions
from ..experiments.tables.user_molecules import (
    fit_molecule_table,
    reads_molecules,
    save_fitted_molecules,
)
from .saving import save

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
    if smiles is None:
        raise click.UsageError("--estimator gin needs --smiles COLUMN: it reads molecules")
    if params.get("hidden_layer_sizes") is not None:
        raise click.UsageError("--layers is for --estimator perceptron")
    if replace(options, delimiter=",", encoding=None) != TableOptions():
        raise click.UsageError(
            "--columns, --drop, --task, --missing and --no-header are for --estimator perceptron; "
            "a table of molecules has a header, and --smiles selects its column"
        )
    _check_rdkit()


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
    # Save before printing: a closed pipe must not lose the model.
    failure = save(lambda place: save_fitted_molecules(fitted, place, precision), path, "the model")
    metric = "accuracy" if fitted.task == "classification" else "R^2"
    model, n = fitted.model, len(fitted.held_out[1])
    area = "" if fitted.roc_auc is None else f", area under the ROC curve {fitted.roc_auc:.4f},"
    click.echo(f"{metric} {fitted.score:.4f}{area} on {n:,} held-out molecules")
    click.echo(
        f"{model.n_trained_params_:,} parameters trained in {model.n_iter_} epochs, "
        f"{model.n_scaffold_params_:,} frozen"
    )
    if failure is not None:
        raise failure
    click.echo(f"Wrote {path}, {path.stat().st_size:,} bytes")


def is_of_molecules(model: Path) -> bool:
    """Return whether a file has a model that was fitted on a table of molecules.

    Raises
    ------
    click.ClickException
        If it has, but RDKit is not installed.
    """
    found = reads_molecules(container.read(model))
    if found:
        _check_rdkit()
    return found


def _check_rdkit() -> None:
    if find_spec("rdkit") is None:
        raise click.ClickException(
            "reading SMILES needs RDKit: pip install 'deepreservoir[molecules]'"
        )
