"""Where the parts of a batch are computed: in this process, in others, or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from ..losses import Loss
from ..network import Network
from .parts import PartsComputer, PartsExecutor, Work
from .plan import Plan, TrainingSet


@dataclass(frozen=True)
class Spread:
    """How a training run is divided.

    Attributes
    ----------
    parts : int
        Number of parts of a batch, which decides the bits.
    workers : int, default=1
        Number of processes on this machine; 1 for this process alone.
    cluster : str, optional
        Address of a Dask scheduler, whose workers compute the parts instead.

    Examples
    --------
    >>> Spread(parts=4, workers=2)
    Spread(parts=4, workers=2, cluster=None)
    """

    parts: int
    workers: int = 1
    cluster: str | None = None

    def executor(
        self, network: Network, data: TrainingSet, loss: Loss, plan: Plan
    ) -> PartsExecutor:
        """Start what computes the parts of a training run; it is to be closed at the end."""
        if self.cluster is None and self.workers == 1:
            return PartsComputer(network, data, loss, plan, self.parts)
        digests = None if self.cluster is None else network.digests()
        n, seed = network.n_trained, network.seed
        work = Work(network.config, seed, n, data, loss, plan, self.parts, digests)
        # Imported here, because few trainings need them.
        if self.cluster is not None:
            from .part_cluster import ClusterExecutor

            return ClusterExecutor(work, self.cluster)
        from .part_processes import ProcessExecutor

        return ProcessExecutor(work, self.workers)
