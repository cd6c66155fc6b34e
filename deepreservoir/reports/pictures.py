"""The pictures of a report: those that a sweep's records have enough for."""

from __future__ import annotations

from .betas import beta_by_epoch, beta_histograms
from .curves import by_bytes, by_rank, without_scaffold
from .data import Gathered
from .drawing import Picture
from .heat import family_map

# In the order of the page; in two columns they come out about even.
_ALL = (family_map, by_rank, by_bytes, beta_by_epoch, without_scaffold, beta_histograms)


def pictures(found: Gathered) -> list[Picture]:
    """Return the pictures that records have enough for; matplotlib must be installed."""
    return [picture for draw in _ALL if (picture := draw(found)) is not None]
