"""Estimators whose targets are part of X, so that there is no y."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from ...backend import resolve_device
from ...inputs import Inputs, Reader
from ...network import Network
from ...training import FrozenProducts, Validate
from .data import Data
from .fitting import DeepEstimator
from .targets import Targets
from .training_plan import takes_steps


class SelfSupervised(DeepEstimator):
    """Base of estimators whose targets are part of X: next tokens, or actions of trajectories.

    Every batch has its targets; in place of y, there is an array of zeros.
    """

    shares_products: ClassVar[bool] = False  # no frozen matrix reads the inputs

    _one_scaffold = True

    @abstractmethod
    def _targets_of(self, reader: Reader) -> Targets:
        """Return the targets of the samples that a fitted reader reads."""

    def _is_one_sequence(self, X: Any) -> bool:
        """Return whether X is one sequence, whose entries are not samples by themselves."""
        return False

    @abstractmethod
    def _mean_error(self, network: Network, inputs: Inputs) -> float:
        """Return the mean error of a network on inputs on its device; lower is better."""

    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        reader: Reader | None,
        targets: Targets | Callable[[np.ndarray], Targets],
    ) -> tuple[Data, Reader, Targets]:
        samples = self.validated_features(X, False)
        reader = self.new_reader().fit(samples) if reader is None else reader
        inputs = reader.read(samples, np.dtype(self.dtype), resolve_device(self.device))
        if not isinstance(targets, Targets):
            targets = self._targets_of(reader)
        return Data(inputs, np.zeros(len(inputs), np.int8), None), reader, targets

    def _read_eval_set(self, eval_set: Any, reader: Reader, targets: Targets) -> Data:
        whole = isinstance(eval_set, tuple | list) and len(eval_set) in (2, 3)
        if not whole or any(part is not None for part in eval_set[1:]):
            got = f"a {type(eval_set).__name__}"
            if isinstance(eval_set, tuple | list):
                got += f" of {len(eval_set)}" + ", not only the first of which is given" * whole
            raise ValueError(
                "eval_set must be a tuple (X_val, None), since the targets are part of X; got "
                + got
            )
        return super()._read_eval_set(eval_set, reader, targets)

    def _validate(self, targets: Targets, held_out: Data, products: FrozenProducts) -> Validate:
        def validate(network: Any) -> tuple[float, float]:
            error = self._mean_error(network, held_out.inputs)
            return error, -error

        return validate

    def fit(
        self,
        X: Any,
        y: Any = None,
        checkpoint: Any = None,
        *,
        eval_set: Any = None,
        callback: Any = None,
        parts: int | None = None,
        workers: int | None = None,
        cluster: str | None = None,
    ) -> Self:
        """Train on samples that include their targets.

        Parameters
        ----------
        X : samples
            In one of the forms that the description of the class lists.
        y : None
            Not used: the targets are part of X.
        checkpoint : str or path, optional
            Checkpoint, rewritten every 10 seconds. If the process is killed, the same call
            continues from it, with the same bits; it is removed when training has ended.
        eval_set : tuple (X_val, None), optional
            Held-out samples, whose loss is recorded after every epoch, in `history_`. With
            `early_stopping`, they take the place of those that are held out otherwise.
        callback : callable, optional
            Called after every epoch with an :class:`~deepreservoir.training.EpochEnd`. Training
            ends if it returns True or raises StopIteration. If it raises another exception, the
            model keeps what was trained, and the exception is raised.
        parts : int, optional
            Number of parts that each batch is cut into, which must divide `batch_size`. The parts
            are computed with one BLAS thread each, and their gradients summed in order, so that
            the result depends on `parts` and not on who computes them. By default as many as
            `workers`; without either, batches are whole.
        workers : int, optional
            Number of processes on this machine that compute the parts; this process by default.
        cluster : str, optional
            Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``, whose workers compute
            the parts instead. It needs `parts`.

        Returns
        -------
        self
        """
        divided = (parts, workers, cluster)
        return self._fit(X, None, None, checkpoint, eval_set, callback, divided)

    @available_if(takes_steps)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one pass over more samples, at a constant learning rate.

        What the first call has learned from its samples is kept: the encoding of texts, or the
        scales of observations, actions and returns.

        Parameters
        ----------
        X : as in `fit`
        y : None
            Not used.

        Returns
        -------
        self
        """
        return self._partial_fit(X, None, None)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags
