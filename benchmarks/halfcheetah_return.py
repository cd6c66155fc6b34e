"""Returns of Decision Transformers in MuJoCo's HalfCheetah-v5, beside those of their training data.

The models are those of the sweep halfcheetah at seed 0. They are trained where they are missing,
which does not need MuJoCo, and saved.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from deepreservoir import DecisionTransformer, episode_returns, load, load_dataset, save
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import protocol_for

ENVIRONMENT = "HalfCheetah-v5"
MODELS: dict[str, dict[str, Any]] = {"full": {"adapter": "full"}, "rank16": {"rank": 16}}


def models(
    folder: Path, data: Dataset, report: Callable[[str], None], **changes: Any
) -> dict[str, DecisionTransformer]:
    """Return the models of a folder; those that are missing are trained and saved there."""
    given = protocol_for("halfcheetah").parameters(DecisionTransformer().get_params())
    found = {}
    for name, params in MODELS.items():
        path = folder / f"halfcheetah_{name}.safetensors"
        if not path.exists():
            report(f"Training {path}")
            model = DecisionTransformer(
                **{**given, **params, **changes}, scaffold_seed=0, random_state=0
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(data.X_train)
            if model.stop_reason_ == "interrupted":
                raise KeyboardInterrupt
            folder.mkdir(parents=True, exist_ok=True)
            save(model, path)
        found[name] = load(path)
    return found


def run(
    folder: Path,
    episodes: int,
    report: Callable[[str], None],
    data: Dataset | None = None,
    environment: Any = ENVIRONMENT,
    **changes: Any,
) -> dict[str, Any]:
    """Return the returns of each model over episodes with the seeds 0, 1, ..., and of the data."""
    data = load_dataset("halfcheetah") if data is None else data
    returns = data.X_train.returns()
    figures: dict[str, Any] = {
        "environment": str(environment),
        "episodes": episodes,
        "data": {"mean": float(returns.mean()), "deviation": float(returns.std())},
        "models": {},
    }
    report(f"training data: {returns.mean():,.0f} ± {returns.std():,.0f}")
    for name, model in models(folder, data, report, **changes).items():
        target = model.max_return_
        found = episode_returns(model, environment, target, episodes)
        figures["models"][name] = {
            "target_return": target,
            "mse": -model.score(data.X_test),
            "trained": model.n_trained_params_,
            "returns": found.tolist(),
            "mean": float(found.mean()),
            "deviation": float(found.std()),
        }
        report(f"{name}: {found.mean():,.0f} ± {found.std():,.0f}, {target:,.0f} wanted")
    return figures
