"""compare(): run every arm under one protocol, over ranks and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from tqdm.auto import tqdm

from ...backend import resolve_device
from ...choices import DeviceName
from ...datasets import DATASETS, Dataset, load_dataset
from ...estimators import CausalLanguageModel, DecisionTransformer, estimator_named
from ...estimators.base.node_labels import labels_of_nodes
from ...inputs import Nodes
from ...scaffold import check_seed
from ..budget import given_epochs
from ..threads import suitable_threads
from . import arms as arm
from . import control_arms, graph_arms, text_arms
from .arms import (
    ALL_ARMS,
    ARMS,
    CONTROL_ARMS,
    GRAPH_ARMS,
    LEFT_OUT,
    TEXT_ARMS,
)
from .natural_estimator import natural_estimator
from .protocol import Protocol, protocol_for, references_for
from .results import Comparison, merge_notes, now
from .task import Record, Task

#: Ranks that are compared if none are given.
DEFAULT_RANKS = (1, 2, 4, 8)

_AFTER_ADAPTER = frozenset({"adapter", "scaffold_removed", "wrong_seed"})

# What the progress bar calls a run, and the run.
Run = tuple[str, Callable[[], Iterable[Record]]]


def _one(make: Callable[..., Record], *arguments: Any) -> list[Record]:
    return [make(*arguments)]


def whole_numbers(name: str, values: object, example: str) -> list[int]:
    """Return integers without duplicates, or raise a ValueError."""
    is_sequence = isinstance(values, Iterable) and not isinstance(values, str)
    numbers: list[Any] = list(values) if is_sequence else []  # type: ignore[call-overload]
    wrong = [n for n in numbers if isinstance(n, bool) or not isinstance(n, Integral)]
    if not is_sequence:
        wrong = [values]
    if wrong or not numbers:
        raise ValueError(
            f"{name} must be at least one whole number, such as {example}; "
            f"got {wrong[0] if wrong else 'none'!r}"
        )
    return list(dict.fromkeys(int(number) for number in numbers))


def checked_ranks(
    ranks: Sequence[int] | None, data: Dataset, protocol: Protocol, kind: Any = None
) -> tuple[int, ...]:
    """Return the ranks without duplicates, or raise a ValueError if one is out of range.

    None stands for those of :data:`DEFAULT_RANKS` that the layers allow.
    """
    chosen = whole_numbers("ranks", DEFAULT_RANKS if ranks is None else ranks, "(1, 2, 4, 8)")
    config = Task(data, protocol, kind=kind).config(rank="auto")
    limit = config.rank_limit() if config.large_ranks == "refuse" else None
    largest, why = limit or (float("inf"), "")
    if ranks is None:
        return tuple(rank for rank in chosen if rank <= largest)
    wrong = [rank for rank in chosen if not 1 <= rank <= largest]
    if wrong:
        expected = f"between 1 and {largest}, {why}" if limit else "at least 1"
        raise ValueError(f"ranks must be {expected}; got {wrong[0]}")
    return tuple(chosen)


def checked_estimator(estimator: str | type | None, data: Dataset) -> Any:
    """Return the class of an estimator, given by name or as a class; None for None.

    Raises
    ------
    ValueError
        If the name is unknown, or the estimator does not support the task of the data set.
    """
    if estimator is None:
        return None
    kind: Any = estimator_named(estimator) if isinstance(estimator, str) else estimator
    fits: Callable[[Any], bool] = {
        "classification": is_classifier,
        "regression": is_regressor,
        "language": lambda model: isinstance(model, CausalLanguageModel),
        "control": lambda model: isinstance(model, DecisionTransformer),
    }[data.task]
    if not fits(kind()):
        raise ValueError(
            f"{data.name} is a {data.task} task, which {kind.__name__} does not support"
        )
    return kind


def checked_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the first `seeds` seeds, or the listed ones, or raise a ValueError."""
    if isinstance(seeds, Integral) and not isinstance(seeds, bool):
        if seeds < 1:
            raise ValueError(f"seeds must be at least 1; got {seeds}")
        return tuple(range(int(seeds)))
    chosen = whole_numbers("seeds", seeds, "3 (the first three) or (0, 1, 2)")
    return tuple(check_seed(seed, "seeds") for seed in chosen)


def checked_names(what: str, names: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the selected names, all by default, or raise a ValueError."""
    if names is None:
        return tuple(known)
    if isinstance(names, str):
        raise ValueError(f"{what} must be a sequence of names, such as ({names!r},); got {names!r}")
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"{what} must be among {', '.join(known)}; got {unknown or 'none'}")
    return tuple(names)


def check_arms(arms: Sequence[str] | None, dataset: str = "") -> tuple[str, ...]:
    """Return the selected arms, by default all of a data set, or raise a ValueError."""
    if arms is None:
        return ARMS + references_for(dataset)
    return checked_names("arms", arms, ALL_ARMS)


class _Runs:
    """The runs of a comparison, in order of execution, and the notes that they leave."""

    def __init__(
        self, task: Task, ranks: tuple[int, ...], seeds: tuple[int, ...], arms: frozenset[str]
    ) -> None:
        self.task, self.ranks, self.seeds, self.arms = task, ranks, seeds, arms
        self.notes: list[str] = []
        self.runs: list[Run] = list(self._runs())

    def _runs(self) -> Iterator[Run]:
        for seed in self.seeds:
            at_seed = f"seed {seed}"
            for rank in self.ranks:
                at = f"rank {rank}, {at_seed}"
                if self.arms & _AFTER_ADAPTER:
                    run = partial(arm.adapter_arms, self.task, rank, seed, self.arms)
                    yield f"adapter, {at}", run
                if "no_scaffold" in self.arms:
                    yield (
                        f"no_scaffold, {at}",
                        partial(_one, arm.no_scaffold, self.task, rank, seed),
                    )
                if "equal_bytes" in self.arms:
                    yield f"equal_bytes, {at}", partial(self._equal_bytes, rank, seed)
            if "full" in self.arms:
                yield f"full, {at_seed}", partial(_one, arm.full, self.task, seed)
            if "random_features" in self.arms:
                features = partial(self._if_any, "random_features", arm.random_features, seed)
                yield f"random_features, {at_seed}", features
            if "echo_state" in self.arms:
                reservoir = partial(self._if_any, "echo_state", arm.echo_state, seed)
                yield f"echo_state, {at_seed}", reservoir
        if "linear" in self.arms:
            yield "linear", partial(self._if_any, "linear", arm.linear, self.seeds[0])
        own = {graph_arms: GRAPH_ARMS, text_arms: TEXT_ARMS, control_arms: CONTROL_ARMS}
        for module, names in own.items():
            for name in names:
                if name in self.arms:
                    make = getattr(module, name)
                    yield name, partial(self._if_any, name, make, self.seeds[0])

    def _equal_bytes(self, rank: int, seed: int) -> list[Record]:
        stored = arm.stored_bytes(self.task, rank)
        record = arm.equal_bytes(self.task, rank, seed, stored)
        if record is None:
            self.notes.append(
                f"equal_bytes at rank {rank}: {LEFT_OUT['equal_bytes'].format(stored)}"
            )
            return []
        return [record]

    def _if_any(
        self, name: str, make: Callable[[Task, int], Record | None], seed: int
    ) -> list[Record]:
        """Run an arm that not every data set has."""
        record = make(self.task, seed)
        if record is None:
            self.notes.append(f"{name}: {LEFT_OUT[name]}")
            return []
        return [record]


def _labelled(data: Dataset) -> Dataset:
    """Leave out nodes of a graph without a label, which are neither trained on nor scored."""
    if data.task != "classification" or not isinstance(data.X_train, Nodes):
        return data
    y_train, trained = labels_of_nodes(data.y_train)
    y_test, tested = labels_of_nodes(data.y_test)
    return replace(
        data,
        X_train=data.X_train[np.flatnonzero(trained)],
        y_train=y_train,
        X_test=data.X_test[np.flatnonzero(tested)],
        y_test=y_test,
    )


def compare(
    dataset: str | Dataset = "digits",
    ranks: Sequence[int] | None = None,
    seeds: int | Sequence[int] = 3,
    arms: Sequence[str] | None = None,
    *,
    protocol: Protocol | None = None,
    estimator: str | type | None = None,
    device: DeviceName = "cpu",
    verbose: bool = False,
    on_interrupt: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Compare adapters on a frozen scaffold with fully trained networks and with controls.

    All arms are trained on the same rows under the same protocol, and are scored on the same
    held-out rows. :mod:`deepreservoir.experiments.comparisons.arms` lists the question that each
    arm answers.

    Parameters
    ----------
    dataset : str or Dataset, default="digits"
        A name accepted by :func:`deepreservoir.load_dataset`, or a data set.
    ranks : sequence of int, optional
        Ranks of the adapters. By default those of 1, 2, 4 and 8 that the layers allow.
    seeds : int or sequence of int, default=3
        The number of seeds, counted from 0, or the seeds themselves.
    arms : sequence of str, optional
        Arms to run, from ``deepreservoir.experiments.ALL_ARMS``. By default those of ``ARMS``,
        and the references of the data set's own kind that it has.
    protocol : Protocol, optional
        Architecture and training parameters. By default the protocol of the data set, if it is
        named, and otherwise the defaults of the estimator.
    estimator : str or type, optional
        Class of the networks' estimators: a registered name, ``"package.module:Class"``, or the
        class itself. By default that which reads the samples: a perceptron for tables,
        CfCClassifier or CfCRegressor for series, GCNClassifier for nodes, GINClassifier or
        GINRegressor for graphs, PlainCNNClassifier for images, TextTransformerClassifier or
        CausalLanguageModel for texts, DecisionTransformer for trajectories.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
    verbose : bool, default=False
        Show a progress bar.
    on_interrupt : callable, optional
        Called with the incomplete comparison on Ctrl-C, or on an error after the first run, before
        it is raised again.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If a rank, seed, arm or device is invalid, which is raised before any training; or if no
        arm applies to the data set.
    TypeError
        If `dataset` is neither a name nor a data set.

    Examples
    --------
    >>> from deepreservoir import compare
    >>> from deepreservoir.experiments import Protocol
    >>> quick = Protocol(hidden_layer_sizes=(32,), max_iter=2)
    >>> result = compare("digits", ranks=(2,), seeds=1, arms=("adapter", "full"), protocol=quick)
    >>> [row.arm for row in result.summary()]
    ['adapter', 'full']
    """
    check_arms(arms)
    chosen_seeds = checked_seeds(seeds)
    chosen_device = resolve_device(device)
    data = _labelled(_dataset(dataset))
    chosen_arms = frozenset(check_arms(arms, data.name))
    kind = checked_estimator(estimator, data) or natural_estimator(data)
    if protocol is not None and not isinstance(protocol, Protocol):
        raise TypeError(
            f"protocol must be a deepreservoir.experiments.Protocol, such as Protocol(max_iter=5); "
            f"got {type(protocol).__name__}"
        )
    chosen_protocol = protocol or protocol_for(data.name, kind)
    task = Task(data, chosen_protocol, chosen_device, kind=kind)
    chosen_ranks = checked_ranks(ranks, data, task.protocol, kind)
    planned = _Runs(task, chosen_ranks, chosen_seeds, chosen_arms)
    constant_score = task.constant_score
    date = now()
    records: list[Record] = []

    def result(complete: bool) -> Comparison:
        return Comparison(
            data.name,
            data.task,
            task.protocol,
            planned.ranks,
            planned.seeds,
            tuple(records),
            date,
            complete,
            merge_notes(planned.notes),
            data.scored_by,
            task.n_held_out,
            constant_score,
        )

    try:
        with (
            given_epochs(),
            suitable_threads(data),
            tqdm(planned.runs, desc=data.name, unit="run", disable=not verbose) as progress,
        ):
            for name, run in progress:
                progress.set_postfix_str(name)
                records.extend(run())
    except (KeyboardInterrupt, Exception) as error:
        kept = bool(records) or isinstance(error, KeyboardInterrupt)
        if kept and on_interrupt is not None:
            on_interrupt(result(complete=False))
        raise
    found = result(complete=True)
    if not records:
        raise ValueError(
            f"none of the arms {', '.join(sorted(chosen_arms))} applies to {data.name}"
            + (f": {'; '.join(found.notes)}" if found.notes else "")
        )
    return found


def _dataset(dataset: Any) -> Dataset:
    """Return a data set, given itself or by its name."""
    if isinstance(dataset, Dataset):
        return dataset
    if not isinstance(dataset, str):
        raise TypeError(
            "dataset must be a name or a Dataset; for a table in a file, use "
            "deepreservoir.datasets.read_table, and for arrays deepreservoir.datasets.Dataset; "
            f"got {type(dataset).__name__}"
        )
    if dataset not in DATASETS and Path(dataset).suffix in (".csv", ".gz", ".tsv", ".txt"):
        raise ValueError(
            f"{dataset!r} is not the name of a data set; for a table in a file: "
            f"compare(deepreservoir.datasets.read_table({dataset!r}, target=...))"
        )
    return load_dataset(dataset)
