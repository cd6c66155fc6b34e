"""MolHIV by epochs: validation and test scores of the reduced protocol, with a cheap reference.

Test scores move by points from epoch to epoch, since there are 130 active test molecules. So the
score of a run is the mean over its last three epochs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import GINClassifier
from deepreservoir.datasets.molecules import atom_counts, molhiv_graphs, reduced_training
from deepreservoir.experiments import protocol_for

EPOCHS, AVERAGED = 10, 3
ARMS: dict[str, dict[str, Any]] = {
    "full": {"adapter": "full"},
    "rank 4": {"rank": 4},
    "rank 8": {"rank": 8},
    "rank 16": {"rank": 16},
    "no scaffold, rank 8": {"rank": 8, "scaffold": "zero", "b_init": "kaiming"},
}

Parts = dict[str, tuple[list[Any], np.ndarray]]


def parts() -> Parts:
    """Return graphs and labels of the reduced training set, and of the whole other two sets."""
    graphs, y, split = molhiv_graphs()
    index = split | {"train": reduced_training(y, split["train"])}
    return {name: ([graphs[i] for i in rows], y[rows]) for name, rows in index.items()}


def by_epochs(data: Parts, seed: int, epochs: int, **params: Any) -> dict[str, Any]:
    """Train one network, and return its scores after every epoch."""
    names = GINClassifier().get_params()
    given = protocol_for("molhiv_8000").parameters(names) | params
    model = GINClassifier(**given, scaffold_seed=seed, random_state=seed)
    curves: dict[str, list[float]] = {"valid": [], "test": []}
    seconds = cpu = 0.0
    for _ in range(epochs):
        start, before = time.perf_counter(), time.process_time()
        model.partial_fit(*data["train"], classes=[0, 1])
        seconds += time.perf_counter() - start
        cpu += time.process_time() - before
        for name, curve in curves.items():
            X, y = data[name]
            curve.append(float(roc_auc_score(y, model.decision_function(X))))
    return {
        "trained": model.n_trained_params_,
        "valid": curves["valid"],
        "test": curves["test"],
        "best_valid": max(curves["valid"]),
        "test_mean_of_last": fmean(curves["test"][-AVERAGED:]),
        "seconds_per_epoch": seconds / epochs,
        "cpu_seconds_per_epoch": cpu / epochs,
    }


def reference(data: Parts) -> dict[str, float]:
    """Return the scores of logistic regression on counts of atoms."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    X, y = data["train"]
    model.fit(atom_counts(X), y)
    return {
        name: float(
            roc_auc_score(data[name][1], model.decision_function(atom_counts(data[name][0])))
        )
        for name in ("valid", "test")
    }


def run(
    seeds: int, arms: tuple[str, ...], epochs: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Run the arms on the seeds 0, 1, ... and return all curves."""
    data = parts()
    figures: dict[str, Any] = {"epochs": epochs, "logistic_on_atom_counts": reference(data)}
    report(f"logistic regression on counts of atoms: {figures['logistic_on_atom_counts']}")
    figures["runs"] = []
    for seed in range(seeds):
        for arm in arms:
            found = by_epochs(data, seed, epochs, **ARMS[arm])
            figures["runs"].append({"arm": arm, "seed": seed} | found)
            report(
                f"{arm}, seed {seed}: {found['trained']:,} trained, best validation "
                f"{found['best_valid']:.3f}, test {found['test_mean_of_last']:.3f}, "
                f"{found['cpu_seconds_per_epoch']:.1f} CPU seconds per epoch"
            )
    return figures
