"""What a comparison says at its end: each sentence where the scores bear it out, and only there."""

import pytest

from deepreservoir.experiments import Comparison, Protocol, Record, save_table
from deepreservoir.reports.advice import comparison_findings

SIZES = {"adapter": 4000, "full": 36000, "equal_bytes": 3900, "no_scaffold": 4000, "linear": 400}


def made(scores, seeds=3, task="classification", spread=0.01):
    """Return a comparison: a score by arm, or by arm and rank, with a spread between seeds."""
    records = []
    for arm, value in scores.items():
        for rank, mean in value.items() if isinstance(value, dict) else [(None, value)]:
            size = SIZES.get(arm, 1000) * (rank or 1)
            for seed in range(seeds):
                score = mean + spread * (seed - (seeds - 1) / 2)
                records.append(Record(arm, rank, seed, score, size // 4, size, 0.1, None))
    ranks = tuple(scores["adapter"]) if "adapter" in scores else (1,)
    return Comparison("t", task, Protocol(), ranks, tuple(range(seeds)), tuple(records), "now")


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
        "As good within one standard deviation, and the smallest, is the dense network of the same "
        "bytes at rank 1: 95.20 % with 3,900 bytes. Use it here."
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


def test_the_sentences_are_below_the_table_in_its_file(tmp_path):
    done = made({"adapter": {1: 0.9}, "linear": 0.8})
    text = save_table(done, tmp_path, comparison_findings(done)).read_text(encoding="utf-8")
    assert "\n- Controls: The adapter is better than every control" in text
