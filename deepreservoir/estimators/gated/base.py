"""What seed gating does beneath its parameters: tasks, seeds, networks that share an adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ...backend import Device, resolve_device, to_host
from ...checks import warn_user
from ...network import Network
from ...training import Checkpoint, fingerprint, train_gated
from ..base.classifier import BaseDeepClassifier
from ..base.data import Data, split_rows, taken, without_zero_weights
from ..base.training_plan import batch_rows, make_plan, projection_limit
from .task_rows import gates_of, validation_of
from .tasks import drawn_seeds, given_seeds, row_names, task_codes, with_label


class BaseSeedGated(BaseDeepClassifier):
    """Base of the seed-gated classifier; `__init__` is its own, and stores parameters only."""

    # Before training ----------------------------------------------------------------------

    def check_params(self) -> None:
        super().check_params()
        if self.adapter == "full":
            raise ValueError(
                'adapter="full" trains every weight, so that no scaffold is left to tell tasks '
                'apart by; expected "lora", "dora" or "none"'
            )

    def _encode(
        self, y: np.ndarray, classes: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if self.out_of_class is not None:
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            classes = with_label(np.unique(y), self.out_of_class)
        return super()._encode(y, classes)

    def _prepare_targets(self, data: Data) -> None:
        if self.out_of_class is None:  # else one class is told from the others' rows
            super()._prepare_targets(data)

    def _read_tasks(self, X: Any, y: Any, task: Any, weight: Any) -> tuple[Data, np.ndarray]:
        """Return the rows, and the code of each one's task."""
        given = self._checked(X, y, weight, True, None)
        names = row_names(task, len(given))
        data = without_zero_weights(given)
        if len(data) < len(given) and given.weights is not None:
            names = names[given.weights > 0]
        self._prepare_targets(data)
        self.tasks_, codes = np.unique(names, return_inverse=True)
        found = [np.unique(data.y[codes == i]) for i in range(len(self.tasks_))]
        self.task_classes_ = {
            name: self.classes_[own] for name, own in zip(self.tasks_.tolist(), found, strict=True)
        }
        self._check_tasks()
        return data, codes

    def _check_tasks(self) -> None:
        if self.out_of_class is not None and len(self.tasks_) == 1:
            raise ValueError(
                f"out_of_class={self.out_of_class!r} is for rows of other tasks, and there is one "
                f"task, {self.tasks_.tolist()[0]!r}; give fit a task for every row, of at least two"
            )
        alone = [name for name, classes in self.task_classes_.items() if len(classes) == 1]
        if alone and self.out_of_class is None:
            some = ", ".join(map(repr, alone[:5])) + (", ..." if len(alone) > 5 else "")
            warn_user(
                f"tasks of one class: {some}. On the scaffold of such a task its class becomes the "
                "answer to every row; set out_of_class to have other rows rejected"
            )

    def _draw_seeds(self, kept: Checkpoint | None) -> list[int]:
        """Return the scaffold seed of each task; draw those of start values and training."""
        n = len(self.tasks_)
        random = check_random_state(self.random_state)
        draws = random.randint(2**31 - 1, size=3).tolist()  # as of one task on one scaffold
        seeds = drawn_seeds(draws[0], n, random)
        if self.scaffold_seeds is not None:
            seeds = given_seeds(self.scaffold_seeds, self.tasks_)
        found = () if kept is None else kept.seeds or ()
        if self.random_state is None and len(found) == 2 + n:
            # What was drawn by chance is drawn once a training, and not once a process.
            draws[1:], seeds = found[:2], list(found[2:])
        self._drawn = (seeds[0], draws[1], draws[2])
        return seeds

    # Training -----------------------------------------------------------------------------

    def _fit_tasks(self, X: Any, y: Any, task: Any, sample_weight: Any, checkpoint: Any) -> Self:
        kept = None if checkpoint is None else Checkpoint(checkpoint)
        self.check_params()
        device = resolve_device(self.device)
        data, codes = self._read_tasks(X, y, task, sample_weight)
        seeds = self._draw_seeds(kept)
        held_out = None
        if self.early_stopping:
            data, codes, held_out = self._held_out(data, codes)
        if len(self.tasks_) == 1:
            data = self._merged_if_one_batch(data)
            codes = codes[: len(data)]
        config = self.network_config(self.n_features_in_, self._n_outputs(data.y))
        first = Network(config, seeds[0], init_seed=self._drawn[1], device=device)
        if len(seeds) > 1 and (not first.n_scaffold or self.scaffold == "zero"):
            raise ValueError(
                "tasks are told apart by their frozen weights, and there are none: expected "
                f"hidden layers and a scaffold other than 'zero'; got hidden_layer_sizes="
                f"{self.hidden_layer_sizes!r}, scaffold={self.scaffold!r}"
            )
        networks = [first, *map(first.with_scaffold, seeds[1:])]
        return self._train_tasks(networks, data, codes, held_out, kept)

    def _held_out(
        self, data: Data, codes: np.ndarray
    ) -> tuple[Data, np.ndarray, tuple[Data, np.ndarray]]:
        """Split off a validation set, of each class of each task its share."""
        labels = codes * len(self.classes_) + data.y
        few = np.flatnonzero(np.bincount(labels) == 1)
        if few.size and len(self.tasks_) > 1:
            task, label = divmod(int(few[0]), len(self.classes_))
            raise ValueError(
                f"early_stopping cannot hold out rows of class {self.classes_.tolist()[label]!r} "
                f"of task {self.tasks_.tolist()[task]!r}, which has 1 row; give more samples, or "
                "early_stopping=False"
            )
        index, held = split_rows(len(data), self.validation_fraction, self._drawn[2], labels)
        empty = np.setdiff1d(codes, codes[index])
        if empty.size:
            raise ValueError(
                f"early_stopping leaves task {self.tasks_.tolist()[empty[0]]!r} no row to train "
                "on; give more samples, a lower validation_fraction, or early_stopping=False"
            )
        return data.take(index), codes[index], (data.take(held), codes[held])

    def _train_tasks(
        self,
        networks: list[Network],
        data: Data,
        codes: np.ndarray,
        held_out: tuple[Data, np.ndarray] | None,
        kept: Checkpoint | None,
    ) -> Self:
        params, seed = self.get_params(deep=False), self._drawn[2]
        reject = None
        if self.out_of_class is not None:
            reject = int(np.searchsorted(self.classes_, self.out_of_class))
        gates = gates_of(networks, data, codes, reject, self._targets)
        size = batch_rows(params)
        plan = make_plan(params, sum(gate.steps(size) for gate in gates), seed)
        loss, validate = self._loss(), None
        if held_out is not None:
            validate = validation_of(
                networks,
                *held_out,
                reject=reject,
                targets=self._targets,
                loss=loss,
                score=lambda outputs, data: self._validation_score(to_host(outputs), data),
                limit=projection_limit(params),
                seed=seed,
            )
        seeds = [network.seed for network in networks]
        if kept is not None:
            start = (networks[0].config, seeds, reject, to_host(networks[0].theta))
            rows = (*data, codes, *(() if held_out is None else (*held_out[0], held_out[1])))
            how = (replace(plan, verbose=False), loss)
            kept.begin((*self._drawn[1:], *seeds), fingerprint(*start, *how, *rows))
        outcome = train_gated(gates, loss, plan, validate=validate, checkpoint=kept)
        self._gate(networks)
        return self._trained(outcome)

    def _gate(self, networks: list[Network]) -> None:
        """Take the networks of all tasks."""
        names = self.tasks_.tolist()
        self.networks_ = dict(zip(names, networks, strict=True))
        self.scaffold_seeds_ = {name: network.seed for name, network in self.networks_.items()}

    def _adopt(self, network: Network) -> None:
        super()._adopt(network)
        self.n_scaffold_params_ *= len(self.tasks_)

    def _move(self, device: Device) -> None:
        if self.network_.device != device:
            super()._move(device)
            self._rebuild()

    def _rebuild(self) -> None:
        """Draw the scaffolds of all tasks but the first again, beside its network."""
        others = list(self.scaffold_seeds_.values())[1:]
        self._gate([self.network_, *map(self.network_.with_scaffold, others)])

    # Predicting ---------------------------------------------------------------------------

    def _outputs(self, X: Any, task: Any = None) -> np.ndarray:
        X = self._features(X)
        codes = task_codes(task, X.shape[0], self.tasks_)
        outputs = np.empty((len(codes), self.network_.config.n_outputs))
        for i, network in enumerate(self.networks_.values()):
            rows = np.flatnonzero(codes == i)
            if len(rows):
                own = X if len(rows) == len(codes) else taken(X, rows)
                outputs[rows] = self._computed(network, own)
        return outputs

    # Pickling: the networks share one adapter, which travels once ---------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "networks_" in state:
            networks = state.pop("networks_").items()
            state["digests"] = {name: network.digests() for name, network in networks}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        digests = state.pop("digests", None)
        super().__setstate__(state)
        if digests is not None:
            self._rebuild()
            for name, network in self.networks_.items():
                network.check_digests(digests[name])
