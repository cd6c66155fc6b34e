"""Decision Transformers: actions from trajectories and a wanted return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import present_device, to_device, to_host
from ..checks import is_finite_number
from ..inputs import Inputs, Reader, Trajectories, TrajectoryReader, TrajectoryWindows, trajectories
from ..inputs.finite import cast_finite
from ..layers import Pass
from ..models import DecisionTransformerConfig
from ..network import Network
from ..scaffold import Scaffold
from ..training import Checkpoint, Outcome
from ..user_warnings import warn_user
from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill, without
from .base.parameters import AdaptationParameters, ScaffoldParameters
from .base.prepared_fit import Fit
from .base.registry import register_estimator
from .base.self_supervised import SelfSupervised
from .base.targets import Targets
from .base.window_actions import WindowActions, mean_squared_error
from .trajectory_parts import checked_history, held_out

_DECISIONS = """\
context : int, default=20
        Number of steps of a window: an action follows from at most so many observations, and from
        the actions between them.
    width : int, default=128
        Width of a token, divisible by `heads`.
    depth : int, default=3
        Number of blocks of attention and MLP.
    heads : int, default=1
        Number of heads of attention.
    mlp_ratio : int, default=4
        Width of the hidden layer of the MLP, in units of `width`.
    dropout : float, default=0.1
        Share that is dropped during training of the outputs of attention and of MLP.
    max_steps : int, default=None
        Number of time steps that have an embedding of their own; later ones share the last. None
        for the length of the longest trajectory of `fit`.
    return_scale : float or "auto", default="auto"
        What returns-to-go are divided by; ``"auto"`` is the largest absolute value of those of the
        training trajectories.
    """

_BATCHES = """\
batch_size : int or "auto", default=64
        Windows per training step; ``"auto"`` is 128.
    max_iter : int, default=100
        Number of epochs. In an epoch, a trajectory of n steps gives n / context windows, rounded
        up, at random places.
    early_stopping : bool, default=False
        Whether to keep the weights with the best score on a validation set. The set is the
        `eval_set` of `fit` or, without one, trajectories that are held out, at equal distances.
    validation_fraction : float, default=0.1
        Fraction of the trajectories held out under `early_stopping`."""
_PARAMETERS = _DECISIONS + "{}\n    {}".format(
    without(
        ARCHITECTURE_PARAMETERS,
        "batch_size",
        "max_iter",
        "early_stopping",
        "validation_fraction",
    ),
    _BATCHES,
)
_ATTRIBUTES = (
    without(ATTRIBUTES, "n_features_in_", "feature_names_in_")
    .replace("accuracy or R^2", "minus the mean squared error of the actions of windows")
    .replace('{"softmax", "logistic", "identity"}', '"tanh"')
)


@dataclass(eq=False, repr=False)
class Decisions(AdaptationParameters):
    """The parameters of a Decision Transformer, and its configuration."""

    context: int = 20
    width: int = 128
    depth: int = 3
    heads: int = 1
    _: KW_ONLY
    mlp_ratio: int = 4
    dropout: float = 0.1

    def network_config(
        self,
        n_observations: int,
        n_actions: int,
        max_steps: int,
        n_outputs: int | None = None,
    ) -> DecisionTransformerConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        n_observations, n_actions : int
            Numbers of entries of an observation, and of an action.
        max_steps : int
            Number of time steps that have an embedding.
        n_outputs : int, optional
            The number of entries of an action too.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        return DecisionTransformerConfig(
            n_observations=n_observations,
            n_actions=n_actions,
            max_steps=max_steps,
            context=self.context,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            dropout=self.dropout,
            **self.adaptation(),
        )


class _Fitted(SelfSupervised):  # not a dataclass, whose annotations would be parameters
    _targets: WindowActions
    _reader: TrajectoryReader


@register_estimator
@dataclass(eq=False, repr=False)
class DecisionTransformer(ScaffoldParameters, Decisions, _Fitted):
    """Actions from trajectories by a Decision Transformer whose weight matrices are frozen.

    A causal Transformer reads the last steps of a trajectory, each as three tokens: the return that
    is still to come, the observation and the action. It predicts the action after each
    observation; at test time, the return to come is the one that is wanted (Chen et al., 2021).
    The matrices Q, K, V, O and both matrices of the MLP of each block are drawn from a seed;
    low-rank adapters, one scale per matrix, the embeddings, the layer normalisations and the output
    layer are trained (LottaLoRA, arXiv 2604.08749).

    X holds trajectories in one of the forms of :func:`deepreservoir.trajectories`: a list of
    mappings with observations, actions and rewards, episodes of Minari, or a data set of D4RL.
    Returns-to-go are computed from the rewards. Observations are standardised; actions are scaled
    to [-1, 1], unless they are within it.

    Parameters
    ----------
    {parameters:
    }

    Attributes
    ----------
    max_return_ : float
        The largest return of a training trajectory.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, if a parameter or the data are out of range; the
        message names them, what was expected and what was given.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    References
    ----------
    Chen, Lu, Rajeswaran, Lee, Grover, Laskin, Abbeel, Srinivas and Mordatch, Decision Transformer:
    reinforcement learning via sequence modeling, NeurIPS 2021.

    Examples
    --------
    A point is moved towards 0 by actions of at most 1; the reward is minus its distance.

    >>> import numpy as np
    >>> from deepreservoir import DecisionTransformer
    >>> def episode(rng, steps=10):
    ...     x, observations, actions = rng.uniform(-2, 2), [], []
    ...     for _ in range(steps):
    ...         observations.append([x])
    ...         actions.append([np.clip(-x, -1, 1)])
    ...         x += actions[-1][0]
    ...     return {"observations": observations, "actions": actions,
    ...             "rewards": -np.abs(observations)[:, 0]}
    >>> rng = np.random.default_rng(0)
    >>> X = [episode(rng) for _ in range(60)]
    >>> model = DecisionTransformer(
    ...     context=5, width=16, depth=1, max_iter=100, learning_rate_init=0.01, batch_size=32,
    ...     random_state=0
    ... )
    >>> model.fit(X[:50]).score(X[50:]) > -0.02  # minus the mean squared error
    True
    >>> start = {"observations": [[0.8]]}
    >>> bool(abs(model.act(start, target_return=-0.8)[0] + 0.8) < 0.2)
    True
    """

    _: KW_ONLY
    max_steps: int | None = None
    return_scale: float | Literal["auto"] = "auto"
    learning_rate_init: float = 1e-3
    weight_decay: float | Literal["auto"] = 1e-4
    warmup: float = 0.05
    max_grad_norm: float | None = 0.25
    batch_size: int | Literal["auto"] = 64
    max_iter: int = 100

    reader_parameters: ClassVar[tuple[str, ...]] = ("max_steps", "return_scale")

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any trajectory."""
        return TrajectoryReader(self.context, self.max_steps, self.return_scale)

    def new_targets(self) -> Targets:
        return WindowActions()

    def _targets_of(self, reader: Reader) -> Targets:
        return WindowActions(reader.sizes()["n_actions"])

    def _mean_error(self, network: Network, inputs: Inputs) -> float:
        return mean_squared_error(network, inputs)

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()
        self.new_reader()
        self.network_config(n_observations=1, n_actions=1, max_steps=self.max_steps or 1)

    def _fit_of(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        checkpoint: Checkpoint | None = None,
        scaffolds: Mapping[str, Scaffold] | None = None,
        eval_set: Any = None,
    ) -> Fit:
        # Whole trajectories are held out: windows of one overlap.
        if self.early_stopping and eval_set is None:
            X, held = held_out(trajectories(X), float(self.validation_fraction))
            eval_set = (held, None)
        return super()._fit_of(X, y, sample_weight, checkpoint, scaffolds, eval_set)

    def _prepared(self, inputs: Inputs, seed: int) -> Inputs:
        assert isinstance(inputs, TrajectoryWindows), "the reader makes no others"
        largest, limits = (
            np.abs(inputs.trajectories.actions).max(axis=0),
            inputs.reader.action_scale,
        )
        if (beyond := np.flatnonzero(largest > limits)).size:
            j = int(beyond[0])
            warn_user(
                f"entry {j} of the actions reaches {largest[j]:.4g}, but the first call has scaled "
                f"actions so that predictions reach {limits[j]:.4g} at most. Fit on all "
                "trajectories at once to predict larger ones"
            )
        return inputs.drawn(seed)

    def validated_features(self, X: Any, on_device: bool) -> Any:
        return trajectories(X)

    def _adopt_targets(self) -> None:
        self.max_return_ = self._reader.max_return

    def _trained(self, fit: Fit, outcome: Outcome) -> Self:
        inputs, reader = fit.data.inputs, fit.reader
        assert isinstance(inputs, TrajectoryWindows), "the reader makes no others"
        assert isinstance(reader, TrajectoryReader), "see new_reader"
        reader.max_return = max(reader.max_return, float(inputs.trajectories.returns().max()))
        return super()._trained(fit, outcome)

    def predict(self, X: Any) -> list[np.ndarray]:
        """Return the action that is predicted at each step, from the steps before it.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        list of ndarray, shape (n_steps, n_actions)
            One for each trajectory.
        """
        given, predicted = self._predicted(X)
        return np.split(predicted, given.bounds[1:-1])

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean squared error of the predicted actions; higher is better.

        Parameters
        ----------
        X : as in `fit`
        y : None
            Not used.

        Returns
        -------
        float
        """
        given, predicted = self._predicted(X)
        return -float(np.mean((predicted - given.actions) ** 2))

    def _predicted(self, X: Any) -> tuple[Trajectories, np.ndarray]:
        """Return trajectories and the actions predicted at all steps, (n_steps, n_actions)."""
        inputs = self._inputs(X)  # which may move the network
        assert isinstance(inputs, TrajectoryWindows), "the reader makes no others"

        def last(outputs: Any, index: Any, batch: Any) -> np.ndarray:
            lengths = batch.side["lengths"]
            return to_host(outputs)[np.arange(len(lengths)), lengths - 1].astype(np.float64)

        predicted = self.network_.evaluate(inputs.ending_at_each_step(), last)
        return inputs.trajectories, predicted * self._reader.action_scale

    def act(self, history: Any, target_return: float) -> np.ndarray:
        """Return the next action of an episode that is wanted to have a return.

        The return that is still to come is the wanted one less the rewards so far.

        Parameters
        ----------
        history : mapping, object with attributes, or tuple
            Observations (t + 1, n_observations), actions (t, n_actions) and rewards (t,) since the
            beginning of the episode; the last observation is the one that is acted on. At the
            beginning, actions and rewards may be left out.
        target_return : float
            The return that is wanted for the whole episode; see `max_return_`.

        Returns
        -------
        ndarray of float64, shape (n_actions,)

        Raises
        ------
        ValueError
            If a part of the history is missing or does not fit the others.
        """
        check_is_fitted(self, "network_")
        if not is_finite_number(target_return):
            raise ValueError(f"target_return must be a finite number; got {target_return!r}")
        observations, actions, rewards = checked_history(history, self._reader)
        self._move(present_device(self.device))
        network, n = self.network_, len(observations)
        first = max(0, n - self._reader.context)
        to_go = float(target_return) - np.concatenate([[0.0], np.cumsum(rewards)])
        actions = np.concatenate([actions, np.zeros((1, actions.shape[1]))])  # not looked at
        columns = self._reader.columns(to_go[first:], observations[first:], actions[first:])
        x = to_device(cast_finite(columns, network.dtype)[None], network.device)
        time = to_device(self._reader.numbered(np.arange(first, n)[None]), network.device)
        outputs = network.forward(x, Pass(side={"time_steps": time}, dtype=network.dtype))[0]
        return to_host(outputs)[0, -1].astype(np.float64) * self._reader.action_scale


fill(DecisionTransformer, _PARAMETERS, _ATTRIBUTES)
