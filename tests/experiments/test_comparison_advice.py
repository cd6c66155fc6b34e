"""What a comparison says at its end: each sentence where the scores bear it out, and only there."""

import numpy as np
import pytest

from deepreservoir.datasets import Dataset
from deepreservoir.experiments import Comparison, Protocol, Record, save_table
from deepreservoir.experiments.comparisons.task import Task
from deepreservoir.reports.advice import comparison_findings

SIZES = {"adapter": 4000, "full": 36000, "equal_bytes": 3900, "no_scaffold": 4000, "linear": 400}


def made(scores, seeds=3, task="classification", spread=0.01, **fields):
    """Return a comparison: a score by arm, or by arm and rank, with a spread between seeds.

    `spread` may be one number for all arms, or a dict by arm.
    """
    records = []
    for arm, value in scores.items():
        for rank, mean in value.items() if isinstance(value, dict) else [(None, value)]:
            size = SIZES.get(arm, 1000) * (rank or 1)
            for seed in range(seeds):
                of_arm = spread.get(arm, 0.0) if isinstance(spread, dict) else spread
                score = mean + of_arm * (seed - (seeds - 1) / 2)
                records.append(Record(arm, rank, seed, score, size // 4, size, 0.1, None))
    ranks = tuple(scores["adapter"]) if "adapter" in scores else (1,)
    seeds = tuple(range(seeds))
    return Comparison("t", task, Protocol(), ranks, seeds, tuple(records), "now", **fields)


def said(comparison):
    found = comparison_findings(comparison)
    return {topic: words.replace("\N{NO-BREAK SPACE}", " ") for topic, words in found}


def test_an_adapter_that_is_ahead_is_named_with_its_ranks_and_used():
    scores = {
        "adapter": {2: 0.80, 4: 0.90},
        "full": 0.89,
        "equal_bytes": {2: 0.80, 4: 0.85},
        "no_scaffold": {2: 0.60, 4: 0.70},
        "linear": 0.5,
    }
    words = said(made(scores))
    assert words["Controls"] == (
        "The adapter is better than every control (the dense network of the same bytes, the "
        "low-rank path without a scaffold and logistic regression) at rank 4, by more than one "
        "standard deviation over seeds."
    )
    assert words["What to use"] == (
        "The highest score is 90.00 %: the adapter at rank 4, 16,000 bytes. Nothing smaller is as "
        "good here: use it."
    )
    assert "by at least" not in words["Same bytes"]
    assert "as good as the adapter, within one standard deviation, at rank 2" in words["Same bytes"]
    assert "Seeds" not in words


def test_a_dense_network_that_wins_is_told_and_recommended():
    scores = {
        "adapter": {1: 0.90, 2: 0.92},
        "full": 0.94,
        "equal_bytes": {1: 0.952, 2: 0.96},
        "linear": 0.80,
    }
    words = said(made(scores))
    assert words["Controls"] == (
        "At no rank is the adapter better than all of its controls here. As good, or better: "
        "the dense network of the same bytes (at every rank)."
    )
    assert (
        "A dense network of the same stored size is better than the adapter at every rank"
        in (words["Same bytes"])
    )
    assert words["What to use"] == (
        "The highest score is 96.00 %: the dense network of the same bytes at rank 2, 7,800 bytes. "
        "As good within its standard deviation over seeds, and the smallest, is the dense network "
        "of the same bytes at rank 1: 95.20 % with 3,900 bytes. Use it here."
    )


def test_a_linear_model_that_is_level_is_recommended_as_the_smallest():
    words = said(made({"adapter": {1: 0.90}, "linear": 0.895}, task="regression"))
    assert words["Controls"].endswith("As good, or better: ridge regression (at rank 1).")
    assert words["What to use"].endswith(
        "is ridge regression: R² 0.8950 with 400 bytes. Use it here."
    )


@pytest.mark.parametrize(
    ("scores", "absent"),
    [
        ({"linear": 0.9, "full": 0.8}, {"Controls", "What to use", "Adapters"}),
        ({"adapter": {1: 0.9}}, {"Controls", "What to use", "Same bytes"}),
        ({"adapter": {1: 0.9}, "full": 0.8}, {"Controls"}),
        ({"adapter": {1: 0.9}, "wrong_seed": {1: 0.1}}, {"Controls", "What to use"}),
    ],
)
def test_nothing_is_said_of_arms_that_were_not_run(scores, absent):
    assert not set(said(made(scores))) & absent


def test_one_seed_is_a_reason_for_caution():
    words = said(made({"adapter": {1: 0.9}, "linear": 0.8}, seeds=1))
    assert not {"Controls", "What to use"} & set(words)
    assert words["Seeds"].startswith("One seed per grid point: small differences may be due to")


def test_a_noisy_score_is_not_as_good_as_a_higher_one_that_is_not():
    scores = {"adapter": {1: 0.90}, "linear": 0.80}
    words = said(made(scores, spread={"linear": 0.2}))["What to use"]
    assert words.endswith("the adapter at rank 1, 4,000 bytes. Nothing smaller is as good here: "
                          "use it.")  # fmt: skip
    words = said(made(scores, spread={"adapter": 0.11}))["What to use"]
    assert words.endswith("logistic regression: 80.00 % with 400 bytes. Use it here.")


def test_nothing_is_recommended_on_few_held_out_rows():
    scores = {"adapter": {1: 0.9}, "linear": 0.8}
    words = said(made(scores, n_held_out=9))
    assert words["What to use"] == "9 held-out rows are too few to recommend a model."
    assert "use it" in said(made(scores, n_held_out=10))["What to use"]


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(
    ("task", "constant", "sentence"),
    [
        (
            "classification",
            0.9,
            "No model scores higher than always predicting the most frequent class in the training "
            "rows (90.00 %): the features may say little about the target, or the networks need "
            "other settings. No model is recommended.",
        ),
        ("regression", 0.95, "always predicting the mean of the target in the training rows (R²"),
    ],
)
def test_nothing_is_recommended_unless_it_is_better_than_a_constant(
    seeds, task, constant, sentence
):
    scores = {"adapter": {1: 0.9}, "linear": 0.8, "wrong_seed": {1: 0.99}}
    made_so = {"seeds": seeds, "task": task, "spread": {}}
    words = said(made(scores, constant_score=constant, **made_so))
    assert sentence in words["Constant prediction"]
    assert "What to use" not in words
    words = said(made(scores, constant_score=0.89, **made_so))
    assert "Constant prediction" not in words
    assert ("What to use" in words) == (seeds > 1)


@pytest.mark.parametrize(
    ("task", "metric", "y_train", "y_test", "expected"),
    [
        ("classification", None, ["a", "a", "b"], ["a", "b"], 0.5),
        ("classification", "roc_auc", [0, 0, 1], [0, 0, 1], 0.5),
        ("regression", None, [1.0, 3.0], [1.0, 5.0], -0.25),
        ("regression", None, [1.0, 5.0], [1.0, 5.0], 0.0),
    ],
)
def test_a_constant_prediction_is_scored_as_the_arms_are(task, metric, y_train, y_test, expected):
    X = np.zeros((3, 1), np.float32)
    y = np.array(y_train), np.array(y_test)
    data = Dataset("t", X[: len(y_train)], y[0], X[: len(y_test)], y[1], task, metric=metric)
    shared = Task(data, Protocol())
    assert shared.constant_score == expected
    assert shared.n_held_out == len(y_test)


def test_the_sentences_are_below_the_table_in_its_file(tmp_path):
    done = made({"adapter": {1: 0.9}, "linear": 0.8})
    text = save_table(done, tmp_path, comparison_findings(done)).read_text(encoding="utf-8")
    assert "\n- Controls: The adapter is better than every control" in text
