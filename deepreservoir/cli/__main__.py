"""``python -m deepreservoir.cli``, for when the installed command is not on the path."""

from . import main

main()
