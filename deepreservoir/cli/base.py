"""Shared parts of the commands: the group, parameter types and checks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..backend import DEVICES, Device, cuda_problem, resolve_device
from .lazy import LazyGroup

if TYPE_CHECKING:
    from ..datasets import Dataset

# The module of each command, and its first sentence for the help of the program.
_COMMANDS = {
    "compare": ("compare", "Compare adapters with full training and controls."),
    "fit": ("models", "Fit a model on a table and save it."),
    "forecast": ("forecast", "Forecast a time series with an echo-state network."),
    "inspect": (
        "models",
        "Describe a saved model: sizes, trained parameters, betas, digests, loss from 16 bits.",
    ),
    "predict": ("models", "Predict the rows of a table with a saved model."),
    "rank": ("rank", "Find the smallest sufficient rank of a task."),
    "report": ("report", "Write the results of a sweep as an HTML page."),
    "scaffold": (
        "scaffold",
        "Draw the frozen weights of one layer and print their statistics and digest.",
    ),
    "sweep": ("sweep", "Run a declared grid on several seeds, with controls."),
}


class Group(LazyGroup):
    """A group whose commands report invalid input in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:  # after --help
            raise
        except (ValueError, ArithmeticError) as error:
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            raise click.ClickException(f"not enough memory: {error}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{reason}") from error
        except RuntimeError as error:
            from ..sweeps import ClusterUnavailable

            if isinstance(error, ClusterUnavailable):
                raise click.ClickException(str(error)) from error
            raise


class Numbers(click.ParamType):
    """Comma-separated whole numbers."""

    name = "n,n,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"expected whole numbers such as 1,2,4; got {value!r}", param, ctx)


class Shape(click.ParamType):
    """Two whole numbers, such as 512x784."""

    name = "ROWSxCOLS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"expected d_out x d_in such as 512x784; got {value!r}", param, ctx)
        return int(parts[0]), int(parts[1])


#: The option --device of all commands that compute.
device_option = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where to compute; auto uses a GPU if CuPy finds one.",
)


def checked_device(device: str) -> Device:
    """Return the device that `--device` names, or raise an error before any work."""
    problem = cuda_problem() if device == "cuda" else None
    if problem is not None:
        raise click.ClickException(
            f"--device cuda is not available: {problem}. Or use --device cpu"
        )
    return resolve_device(device)


def check_writable(path: Path, source: Path) -> None:
    """Raise an error before any work if a file cannot be written, or is the input file."""
    if path.resolve() == source.resolve():
        raise click.UsageError(f"{path} is an input and would be overwritten; name another file")
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.UsageError(
            f"{path.name} cannot be written: {folder} is not a writable folder; name another file"
        )


def dataset_or_table(name: str, target: str | None, also: Iterable[str] = ()) -> Dataset:
    """Return a data set by its name, or the table in a CSV file.

    Parameters
    ----------
    name : str
    target : str or None
        Column of the CSV file to predict.
    also : iterable of str
        Other names that the command accepts, for the message.
    """
    from ..datasets import DATASETS, load_dataset, read_table

    if name in DATASETS:
        if target is not None:
            raise click.UsageError(f"--target is for CSV files; {name} has its own target")
        return load_dataset(name)
    if not Path(name).is_file():
        raise click.UsageError(
            f"DATASET must be one of {', '.join((*DATASETS, *also))} or a CSV file; the file "
            f"{name} does not exist"
        )
    if target is None:
        raise click.UsageError(f"a CSV file needs --target COLUMN; name a column of {name}")
    return read_table(name, target)


@click.group(
    cls=Group,
    modules={name: (f"{__package__}.{module}", text) for name, (module, text) in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
def main() -> None:
    """Deep networks as reservoirs: frozen weights from a seed, a few kilobytes of parameters."""
