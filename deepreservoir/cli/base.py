"""Shared parts of the commands: the group, parameter types and checks."""

from __future__ import annotations

import warnings
from typing import Any

import click

from .. import __version__
from ..backend import DEVICES, Device, cuda_problem, resolve_device
from ..datasets import DatasetUnavailable
from ..sweeps import ClusterUnavailable


def _in_one_line(message: Warning | str, *_: Any, **__: Any) -> str:
    """Return the text of a warning, without the place in the code that it points at."""
    return f"Warning: {message}\n"


class Group(click.Group):
    """A group whose commands report invalid input in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        usual, warnings.formatwarning = warnings.formatwarning, _in_one_line
        try:
            return super().invoke(ctx)
        except (ValueError, DatasetUnavailable, ClusterUnavailable, ArithmeticError) as error:
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            raise click.ClickException(f"not enough memory: {error}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{reason}") from error
        finally:
            warnings.formatwarning = usual


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


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Deep networks as reservoirs: frozen weights from a seed, a few kilobytes of parameters."""
