"""What the commands share: the group, and how options are read."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..datasets import DatasetUnavailable


class Group(click.Group):
    """A group whose commands answer bad input in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, DatasetUnavailable, ArithmeticError) as error:
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            raise click.ClickException(f"not enough memory: {error}") from error
        except OSError as error:
            what = error.strerror or str(error)
            raise click.ClickException(f"{error.filename or 'file'}: {what}") from error


class Numbers(click.ParamType):
    """Whole numbers, separated by commas."""

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
    """Two whole numbers, as in 512x784."""

    name = "ROWSxCOLS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"expected d_out x d_in such as 512x784; got {value!r}", param, ctx)
        return int(parts[0]), int(parts[1])


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Deep networks as reservoirs: weights from a seed, a few kilobytes trained."""
