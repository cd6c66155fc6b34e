"""Frozen weights from a seed: streams of bits, families of distributions, storages."""

from .build import STORAGES, held_bytes, make_scaffold, resolve_storage
from .registry import PAPER_FAMILIES
from .spec import FAMILIES, Construction, Family, ScaffoldSpec, check_scale, get_family
from .storage import Scaffold
from .streams import Stream, check_seed

__all__ = [
    "FAMILIES",
    "PAPER_FAMILIES",
    "STORAGES",
    "Construction",
    "Family",
    "Scaffold",
    "ScaffoldSpec",
    "Stream",
    "check_scale",
    "check_seed",
    "get_family",
    "held_bytes",
    "make_scaffold",
    "resolve_storage",
]
