"""``python -m deepreservoir``: the command line, which then imports from the current folder."""

from .cli import main

main(prog_name="python -m deepreservoir")
