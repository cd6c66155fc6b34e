"""The pictures of a report: all for which the sweep has enough records."""

from __future__ import annotations

from .betas import beta_by_epoch, beta_histograms
from .curves import by_bytes, by_rank, without_scaffold
from .data import Gathered
from .drawing import Picture
from .heat import family_map

# In the order of the page; this order balances the two columns.
_ALL = (family_map, by_rank, by_bytes, beta_by_epoch, without_scaffold, beta_histograms)


def pictures(gathered: Gathered) -> list[Picture]:
    """Return the pictures for which there are enough records; matplotlib must be installed."""
    return [picture for draw in _ALL if (picture := draw(gathered)) is not None]
