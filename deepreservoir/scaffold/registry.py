"""The registry of all families, in the order of all lists. A new family is one line here."""

from __future__ import annotations

from . import hadamard, kronecker
from .families import PAPER, ZERO
from .spec import FAMILIES

FAMILIES.update(
    (family.name, family)
    for family in (
        *PAPER,
        hadamard.FAMILY,
        kronecker.FAMILY,
        ZERO,
    )
)

#: Names of the 22 families of the paper's table 13, in its order.
PAPER_FAMILIES = tuple(family.name for family in PAPER)
