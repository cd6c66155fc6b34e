"""The network of an estimator: a new one for a fresh fit, or that of the fit before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sklearn.utils import check_random_state

from ...backend import Device
from ...choices import OptimizerName, PrecisionName, RandomState
from ...models import NetworkConfig
from ...network import Network
from ...scaffold import Scaffold
from ...training import Checkpoint
from ...user_warnings import warn_user
from .memory import check_memory, memory_by_part
from .on_device import smaller
from .training_plan import batch_size_of


class OwnNetwork:
    """Draws the seeds of an estimator, and builds its network."""

    network_: Network
    optimizer: OptimizerName
    precision: PrecisionName
    random_state: RandomState

    # For estimators without this parameter.
    scaffold_seed: int | None = None

    def _seeds(self, checkpoint: Checkpoint | None) -> tuple[int, int, int]:
        """Return the seeds of scaffold, initial values and training, drawn for a fresh fit.

        Random seeds are drawn once per training, not once per process, and so are stored in
        checkpoints. A seed that the user sets is never replaced.
        """
        draws = check_random_state(self.random_state).randint(2**31 - 1, size=3).tolist()
        if checkpoint is not None and checkpoint.seeds is not None and self.random_state is None:
            draws = list(checkpoint.seeds)
        if self.scaffold_seed is not None:
            draws[0] = int(self.scaffold_seed)
        return draws[0], draws[1], draws[2]

    if TYPE_CHECKING:  # defined beside

        def _training_parameters(self) -> dict[str, Any]: ...

    def _check_memory(self, config: NetworkConfig, n_samples: int, device: Device) -> None:
        """Raise a MemoryError if training would need more memory than is free on the host."""
        if device == "cpu":
            batch = min(batch_size_of(self._training_parameters()), n_samples)
            needed = memory_by_part(config, batch, self.optimizer)
            check_memory(needed, smaller(self, needed["frozen weights"]))

    def _new_network(
        self,
        config: NetworkConfig,
        seeds: tuple[int, int, int],
        device: Device,
        scaffolds: Mapping[str, Scaffold] | None,
    ) -> Network:
        message = config.large_rank_warning()
        if message is not None:
            warn_user(message)
        network = Network(config, seeds[0], init_seed=seeds[1], device=device, scaffolds=scaffolds)
        network.precision = self.precision
        return network

    def _same_network(self, config: NetworkConfig, device: Device) -> Network:
        """Return the fitted network, after checking that the parameters still describe it."""
        if config != self.network_.config:
            old, new = asdict(self.network_.config), asdict(config)
            changed = [f"{k}: {old[k]!r} -> {new[k]!r}" for k in old if old[k] != new[k]]
            raise ValueError(
                "training can only continue with the same network; changed since it was fitted: "
                + ", ".join(changed)
                + ". Fit a fresh estimator, or set warm_start=False"
            )
        self._move(device)
        return self.network_

    def _move(self, device: Device) -> None:
        """Move the fitted network to a device."""
        if self.network_.device != device:
            self.network_ = self.network_.to(device)
        self.network_.precision = self.precision
