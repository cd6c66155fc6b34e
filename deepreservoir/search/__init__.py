"""Searches over estimators: the smallest sufficient rank, the intrinsic dimension, reservoirs."""

from .intrinsic_dimension import SubspaceDimension, subspace_dimension
from .rank_search import RankSearch
from .reservoirs import reservoir_search

__all__ = ["RankSearch", "SubspaceDimension", "reservoir_search", "subspace_dimension"]
