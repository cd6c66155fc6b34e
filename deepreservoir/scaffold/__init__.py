"""Frozen weights from a seed: streams of bits, families of distributions, storage."""

from .build import STORAGES, make_scaffold, resolve_storage
from .families import FAMILIES, PAPER_FAMILIES, Family, get_family
from .spec import ScaffoldSpec, check_scale
from .storage import Scaffold
from .streams import Stream, check_seed

__all__ = [
    "FAMILIES",
    "PAPER_FAMILIES",
    "STORAGES",
    "Family",
    "Scaffold",
    "ScaffoldSpec",
    "Stream",
    "check_scale",
    "check_seed",
    "get_family",
    "make_scaffold",
    "resolve_storage",
]
