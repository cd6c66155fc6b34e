"""Class labels of samples that are mixed in pairs."""

from __future__ import annotations

from typing import Any

from ...backend import Array, array_module
from ...inputs import Batch, Target
from .targets import Labels


class MixedLabels(Labels):
    """Labels of batches in which sample i may be mixed with sample n - 1 - i.

    The batch says by ``share`` which part of the target is the sample's own. The loss of a mixed
    sample is that of its two labels, weighted by their shares (Zhang et al., 2018).
    The parameters are those of :class:`Labels`.
    """

    def take(self, y: Array, index: Any, batch: Batch, weights: Array | None) -> Target:
        target = super().take(y, index, batch, weights)
        share = batch.side.get("share", 1.0)
        if share == 1.0:
            return target
        xp, dtype = array_module(batch.x), batch.x.dtype
        values, weights = target.y, target.weights
        if len(self.classes) > 2:
            values = (values[:, None] == xp.arange(self.n_outputs)).astype(dtype)
        elif len(self.classes) < 2:
            return target
        own, other = dtype.type(share), dtype.type(1 - share)
        if weights is None:
            return Target(values * own + values[::-1] * other, target.n)
        both = weights * own + weights[::-1] * other
        total = both if values.ndim == 1 else both[:, None]
        first = weights if values.ndim == 1 else weights[:, None]
        weighted = values * first * own + (values * first)[::-1] * other
        # A sample of weight zero mixed with another such sample has no target.
        return Target(weighted / xp.where(total > 0, total, 1), target.n, both)
