"""Shared parts of the commands: the group, parameter types and checks."""

from __future__ import annotations

import re
import warnings
from importlib.util import find_spec
from typing import Any

import click

from .. import __version__
from ..backend import (
    DEVICES,
    Device,
    cuda_problem,
    device_number,
    is_device_name,
    resolve_device,
)
from ..printable import printable
from .lazy import LazyGroup

# The module of each command, and its first sentence for the help of the program.
_COMMANDS = {
    "compare": ("compare", "Compare adapters with full training and controls."),
    "fit": ("models", "Fit a model on a table, or on a folder of images, and save it."),
    "forecast": ("forecast", "Forecast a time series with an echo-state network."),
    "generate": ("generate", "Continue a text with a saved language model, and print both."),
    "inspect": (
        "models",
        "Describe a saved model: sizes, trained parameters, betas, digests, cost of fewer bits.",
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


def _with_options(message: str, command: click.Command | None) -> str:
    """Return a message with a command's options in place of the parameters that they set.

    Words that are parameters but may also be plain words, such as rank, are left as they are.
    """
    # The columns of a table may have the names of parameters.
    message, list_of_columns, columns = message.partition("; it has ")
    for param in [] if command is None else command.params:
        name = param.name or ""
        if name == "folds":
            message = re.sub(r"(?<=ower )cv\b", "--folds", message)
        if not isinstance(param, click.Option) or "_" not in name:
            continue
        option = param.opts[0]
        if param.is_flag:
            message = re.sub(rf"\bset {name}=False\b", f"leave out {option}", message)
            message = re.sub(rf"\b{name}=True\b", option, message)
        message = re.sub(rf"(?<!['\w]){name}(?!['\w])", option, message)
    return message + list_of_columns + columns


class Group(LazyGroup):
    """A group whose commands report invalid input in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:

        def worded(message: Any) -> str:
            name = ctx.invoked_subcommand
            command = None if name is None else self.get_command(ctx, name)
            # A message may repeat values of a file; messages of other libraries have several lines.
            lines = _with_options(str(message), command).split("\n")
            return "\n".join(map(printable, lines))

        def in_one_line(message: Warning | str, *_: Any, **__: Any) -> str:
            # Without the place in the code that the warning points at.
            return f"Warning: {worded(message)}\n"

        usual, warnings.formatwarning = warnings.formatwarning, in_one_line
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:  # after --help
            raise
        except (ValueError, ArithmeticError) as error:
            raise click.ClickException(worded(error)) from error
        except MemoryError as error:
            raise click.ClickException(f"not enough memory: {worded(error)}") from error
        except BrokenPipeError:  # of the output: click ends the program without words
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{reason}") from error
        except RuntimeError as error:
            from ..sweeps import ClusterUnavailable

            if isinstance(error, ClusterUnavailable):
                raise click.ClickException(str(error)) from error
            raise
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


class DeviceChoice(click.Choice[str]):
    """The devices of a list, and "cuda:N"."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not is_device_name(value):
            self.fail(f"expected one of cpu, cuda, cuda:N, auto; got {value!r}", param, ctx)
        return value


#: The option --device of all commands that compute.
device_option = click.option(
    "--device",
    type=DeviceChoice(DEVICES),
    metavar="[cpu|cuda|cuda:N|auto]",
    default="auto",
    show_default=True,
    help="Where to compute; auto uses a GPU if CuPy finds one, and cuda:N the GPU number N.",
)

#: The option --estimator of commands that train networks of any architecture.
estimator_option = click.option(
    "--estimator",
    metavar="NAME",
    help="Class of the networks: a registered name, or package.module:Class, which is imported.  "
    "[default: by the data]",
)


def checked_device(device: str) -> Device:
    """Return the device that `--device` names, or raise an error before any work."""
    wanted = device not in ("cpu", "auto")
    problem = cuda_problem(device_number(device)) if wanted else None
    if problem is not None:
        raise click.ClickException(
            f"--device {device} is not available: {problem}. Or use --device cpu"
        )
    return resolve_device(device)


def check_installed(module: str, need: str, extra: str) -> None:
    """Raise an error that names an extra of this package if a library is not installed.

    Parameters
    ----------
    module : str
        What the library is imported as.
    need : str
        What needs the library, for the message: "reading SMILES needs RDKit".
    extra : str
    """
    if find_spec(module) is None:
        raise click.ClickException(f"{need}: pip install 'deepreservoir[{extra}]'")


@click.group(
    cls=Group,
    modules={name: (f"{__package__}.{module}", text) for name, (module, text) in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
def main() -> None:
    """Deep networks as reservoirs: frozen weights from a seed, kilobytes of trained parameters."""
