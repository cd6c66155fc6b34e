"""Seed gating of any architecture: tasks, seeds, and networks that share an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state

from ...backend import Array, Device, array_module, resolve_device, to_host
from ...network import Network
from ...scaffold import get_family
from ...training import Checkpoint, fingerprint, train_gated
from ..base.classifier import LabelledEstimator
from ..base.device_input import on_host
from ..base.parameters import parameters_of
from ..base.predicting import host_outputs, type_of
from ..base.prepared_fit import Fit
from ..base.targets import Labels, Targets
from ..base.training_plan import batch_size_of, make_plan, projection_limit, weight_decay_of
from ..base.unchanged import unchanged_on_failure
from .task_rows import gates_of, validation_of
from .task_samples import TaskSamples, task_samples, without_held_out
from .tasks import drawn_seeds, given_seeds, task_codes, with_label


@dataclass(kw_only=True, eq=False, repr=False)
class GatingParameters:
    """The scaffold seed of each task, and the label for samples of other tasks."""

    scaffold_seeds: Any = None
    out_of_class: Any = None


class LabelsWithRejection(Labels):
    """Class labels of all tasks, and a label that no sample has, for samples of other tasks."""

    def __init__(self, label_smoothing: float, out_of_class: Any) -> None:
        super().__init__(label_smoothing)
        self.out_of_class = out_of_class

    def found_in(self, y: np.ndarray) -> np.ndarray:
        return with_label(np.unique(y), self.out_of_class)

    @property
    def reject(self) -> int:
        """The class index of samples of other tasks."""
        return int(np.searchsorted(self.classes, self.out_of_class))


class SeedGated(GatingParameters, LabelledEstimator):
    """Base of seed-gated classifiers: one adapter that several tasks share.

    The seed-gated classifier of an architecture derives from this class, and from the class that
    has the architecture's parameters and defines :meth:`~DeepEstimator.network_config`.
    """

    tasks_: np.ndarray
    task_classes_: dict[Any, np.ndarray]
    networks_: dict[Any, Network]

    # Before training ----------------------------------------------------------------------

    def check_params(self) -> None:
        super().check_params()
        if self.adapter == "full":
            raise ValueError(
                'adapter="full" trains every weight, so that no scaffold is left to distinguish '
                'tasks by; expected "lora", "dora" or "none"'
            )

    def new_targets(self) -> Targets:
        if self.out_of_class is None:
            return super().new_targets()
        return LabelsWithRejection(self.label_smoothing, self.out_of_class)

    def _task_seeds(
        self, tasks: np.ndarray, checkpoint: Checkpoint | None
    ) -> tuple[list[int], tuple[int, int]]:
        """Return the scaffold seed of each task, and the seeds of initial values and training."""
        n = len(tasks)
        random = check_random_state(self.random_state)
        draws = random.randint(2**31 - 1, size=3).tolist()  # as for one task on one scaffold
        seeds = drawn_seeds(draws[0], n, random)
        saved = () if checkpoint is None else checkpoint.seeds or ()
        if self.random_state is None and len(saved) == 2 + n:
            # Random seeds are drawn once per training, not once per process.
            draws[1:], seeds = saved[:2], list(saved[2:])
        if self.scaffold_seeds is not None:  # seeds that the user sets are never replaced
            seeds = given_seeds(self.scaffold_seeds, tasks)
        return seeds, (draws[1], draws[2])

    # Training -----------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, task: Any = None, sample_weight: Any = None, checkpoint: Any = None
    ) -> Self:
        """Train the adapter on labelled samples of all tasks.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
            Class labels: numbers or strings.
        task : array-like, shape (n_samples,), optional
            Task of each sample, a string or a number. By default, all belong to one task, 0.
        sample_weight : array-like, shape (n_samples,), optional
            Weight of each sample in the loss; a sample of weight zero has no effect.
        checkpoint : str or path, optional
            Checkpoint, rewritten every 10 seconds. If the process is killed, the same call
            continues from it, with the same bits; it is removed when training has ended.

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If Ctrl-C ended training early; the model is usable. If a task has only one class and
            `out_of_class` is None.
        """
        with unchanged_on_failure(self):
            return self._fit_tasks(X, y, task, sample_weight, checkpoint)

    def _fit_tasks(self, X: Any, y: Any, task: Any, sample_weight: Any, checkpoint: Any) -> Self:
        saved = None if checkpoint is None else Checkpoint(checkpoint)
        self.check_params()
        device = resolve_device(self.device)
        targets = self.new_targets()
        assert isinstance(targets, Labels)
        all_data, reader, _ = self._read(X, y, sample_weight, None, targets)
        samples = task_samples(all_data, targets, task, self.out_of_class)
        seeds, other_seeds = self._task_seeds(samples.names, saved)
        config = self.network_config(n_outputs=targets.n_outputs, **reader.sizes())
        held_out = None
        if self.early_stopping:
            samples, held_out = without_held_out(
                samples, targets, self.validation_fraction, other_seeds[1]
            )
        if len(samples.names) == 1:
            data = self._merged_if_one_batch(samples.data, config)
            samples = samples._replace(data=data, codes=samples.codes[: len(data)])
        reader.fit_training(samples.data.inputs)
        first = self._new_network(config, (seeds[0], *other_seeds), device, None)
        if len(seeds) > 1 and (not first.n_scaffold or not get_family(self.scaffold).random):
            raise ValueError(
                "tasks are distinguished by their frozen weights, but there are none: expected "
                f"layers on a scaffold other than 'zero'; got {config}"
            )
        networks = [first, *map(first.with_scaffold, seeds[1:])]
        held_out_data = None if held_out is None else held_out.data
        all_seeds = (seeds[0], *other_seeds)
        fit = Fit(
            first,
            samples.data,
            held_out_data,
            reader,
            targets,
            all_seeds,
            one_pass=False,
            n_samples=len(all_data),
            x_dtype=type_of(X),
        )
        return self._train_tasks(fit, networks, samples, held_out, saved)

    def _train_tasks(
        self,
        fit: Fit,
        networks: list[Network],
        samples: TaskSamples,
        held_out: TaskSamples | None,
        checkpoint: Checkpoint | None,
    ) -> Self:
        params, targets, seed = parameters_of(self), fit.targets, fit.seeds[2]
        reject = targets.reject if isinstance(targets, LabelsWithRejection) else None
        gates = gates_of(networks, samples.data, samples.codes, reject, targets)
        size = batch_size_of(params)
        steps = sum(gate.steps(size) for gate in gates)
        self.batch_size_ = size
        config = fit.network.config
        plan = make_plan(
            params, steps, seed, decayed=config.decayed, width_factor=config.width_factor
        )
        self.weight_decay_ = weight_decay_of(params, steps, config.width_factor)
        self.ema_decay_ = plan.ema_decay
        validate = None
        if held_out is not None:
            validate = validation_of(
                networks,
                held_out.data,
                held_out.codes,
                reject=reject,
                targets=targets,
                limit=projection_limit(params),
                seed=seed,
            )
        scaffold_seeds = [network.seed for network in networks]
        if checkpoint is not None:
            start = (fit.network.config, scaffold_seeds, reject, to_host(fit.network.theta))
            parts = (samples, *(() if held_out is None else (held_out,)))
            rows = [array for part in parts for array in (*part.data, part.codes)]
            digest = fingerprint(*start, replace(plan, verbose=0), targets.loss, *rows)
            checkpoint.begin((*fit.seeds[1:], *scaffold_seeds), digest)
        outcome = train_gated(gates, targets.loss, plan, validate=validate, checkpoint=checkpoint)
        self.tasks_, self.task_classes_ = samples.names, samples.classes
        self._gate(networks)
        return self._trained(fit, outcome)

    def _gate(self, networks: list[Network]) -> None:
        """Set the networks of all tasks, and their seeds."""
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
        """Redraw the scaffolds of all tasks except the first on the device of its network."""
        buffers = [to_host(network.buffers) for network in self.networks_.values()][1:]
        other_seeds = list(self.scaffold_seeds_.values())[1:]
        networks = [self.network_, *map(self.network_.with_scaffold, other_seeds)]
        for network, values in zip(networks[1:], buffers, strict=True):
            network.buffers[:] = array_module(network.buffers).asarray(values)
        self._gate(networks)

    # Predicting ---------------------------------------------------------------------------

    def _decoded_of_tasks(
        self, X: Any, task: Any, decode: Callable[[np.ndarray], np.ndarray], reals: bool = True
    ) -> Array:
        """Return the decoded outputs of each sample's own network.

        Real numbers are in the type that belongs to X.
        """
        inputs, given = self._inputs_and_dtype(X)
        codes = task_codes(task, len(inputs), self.tasks_)
        decoded: np.ndarray | None = None
        for i, network in enumerate(self.networks_.values()):
            rows = np.flatnonzero(codes == i)
            if len(rows):
                task_inputs = inputs if len(rows) == len(codes) else inputs.subset(rows)
                part = host_outputs(network, task_inputs, decode)
                if decoded is None:
                    decoded = np.empty((len(codes), *part.shape[1:]), part.dtype)
                decoded[rows] = part
        if decoded is None:
            decoded = decode(np.empty((0, self._targets.n_outputs)))
        if reals:
            decoded = decoded.astype(self._result_dtype(given), copy=False)
        return self._placed(decoded, X)

    def decision_function(self, X: Any, task: Any = None) -> Array:
        """Return the logits of each sample, on the scaffold of its task.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        task : str, number or array-like of shape (n_samples,), optional
            One name for all samples, or one per sample; required if there are several tasks.

        Returns
        -------
        ndarray of float64, shape (n_samples,) for two classes, else (n_samples, n_classes)
            float32 if X is.

        Raises
        ------
        ValueError
            If a task is unknown, or missing.
        """
        return self._decoded_of_tasks(X, task, self._logits)

    def predict(self, X: Any, task: Any = None) -> Array:
        """Return the most probable label of each sample, shape (n_samples,), among all classes.

        `X` and `task` are as in :meth:`decision_function`. A label that is neither a class of the
        sample's task nor the out-of-class label means that the sample does not belong to the task.
        """
        return self._decoded_of_tasks(X, task, self._predictions, reals=False)

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        return self._targets.decode(outputs)

    def predict_log_proba(self, X: Any, task: Any = None) -> Array:
        """Return log probabilities, shape (n_samples, n_classes), float32 if X is, else float64."""
        return self._decoded_of_tasks(X, task, self._log_probabilities)

    def predict_proba(self, X: Any, task: Any = None) -> Array:
        """Return probabilities, shape (n_samples, n_classes), in order of `classes_`.

        They are float32 if X is, else float64.
        """
        log_p = self.predict_log_proba(X, task)
        return array_module(log_p).exp(log_p)

    def score(  # type: ignore[override]
        self, X: Any, y: Any, task: Any = None, sample_weight: Any = None
    ) -> float:
        """Return the accuracy on labelled samples, each on the scaffold of its task.

        Parameters
        ----------
        X, y, task, sample_weight : as in fit
            `task` may be one name for all samples. Samples that should be rejected have the label
            `out_of_class`.

        Returns
        -------
        float
        """
        X, y, sample_weight = on_host(X, y, sample_weight)
        return float(accuracy_score(y, self.predict(X, task), sample_weight=sample_weight))

    # Pickling: the networks share one adapter, which is stored once -------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "networks_" in state:
            networks = state.pop("networks_").items()
            state["digests"] = {name: network.digests() for name, network in networks}
            state["buffers"] = [to_host(network.buffers) for _, network in networks]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        digests, buffers = state.pop("digests", None), state.pop("buffers", [])
        super().__setstate__(state)
        if digests is not None:
            other_seeds = list(self.scaffold_seeds_.values())[1:]
            networks = [self.network_, *map(self.network_.with_scaffold, other_seeds)]
            for network, values in zip(networks, buffers, strict=True):
                network.buffers[:] = network.on_device(values)
            self._gate(networks)
            for name, network in self.networks_.items():
                network.check_digests(digests[name])
