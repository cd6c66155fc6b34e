"""A group of commands that are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows the modules of its commands; importing one registers its commands.

    Parameters
    ----------
    modules : mapping of str to (str, str)
        The full name of the module of each command, and its first sentence, which the help of
        the group shows.
    """

    def __init__(self, *args: Any, modules: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.modules:
            import_module(self.modules[cmd_name][0])
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        shown = {name: click.Command(name, help=self.modules[name][1]) for name in names}
        with formatter.section("Commands"):
            formatter.write_dl([(k, each.get_short_help_str(limit)) for k, each in shown.items()])
