"""``fit`` and ``predict`` for texts in a table, with ``--text``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .. import container
from ..datasets.learning_table import TableOptions
from ..experiments.tables.references import sentence
from ..experiments.tables.user_texts import fit_text_table, reads_texts, save_fitted_texts
from .saving import save

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
        help="Most tokens of a text that are read.  [default: 512]",
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
    if text is None:
        raise click.UsageError(f"--estimator {ESTIMATOR} needs --text COLUMN: it reads texts")
    if params.get("hidden_layer_sizes") is not None or params.get("bias") is not None:
        raise click.UsageError("--layers, --bias and --no-bias are for --estimator perceptron")
    if replace(options, delimiter=",", encoding=None) != TableOptions():
        raise click.UsageError(
            "--columns, --drop, --task, --missing and --no-header are for --estimator perceptron; "
            "a table of texts has a header, and --text selects its column"
        )
    _check_tokenizers()


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
    # Save before printing: a closed pipe must not lose the model.
    failure = save(lambda place: save_fitted_texts(fitted, place, precision), path, "the model")
    model, n = fitted.model, len(fitted.held_out[1])
    others = "; ".join(f"{each.name}: {each.score:.4f}" for each in fitted.references)
    click.echo(f"accuracy {fitted.score:.4f} on {n:,} held-out texts ({others})")
    click.echo(sentence(*fitted.references, n))
    click.echo(
        f"{model.n_trained_params_:,} parameters trained in {model.n_iter_} epochs, "
        f"{model.n_scaffold_params_:,} frozen"
    )
    if failure is not None:
        raise failure
    click.echo(f"Wrote {path}, {path.stat().st_size:,} bytes")


def is_of_texts(model: Path) -> bool:
    """Return whether a file has a model that was fitted on a table of texts.

    Raises
    ------
    click.ClickException
        If it has, but tokenizers is not installed.
    """
    found = reads_texts(container.read(model))
    if found:
        _check_tokenizers()
    return found


def _check_tokenizers() -> None:
    if find_spec("tokenizers") is None:
        raise click.ClickException(
            "reading texts needs the library tokenizers: pip install 'deepreservoir[text]'"
        )
