"""A comparison as a Markdown table and as a picture."""

import re
import struct
import sys
from dataclasses import replace

import pytest
from experiment_tools import QUICK, classes, diabetes, without_collections
from hypothesis import given
from hypothesis import strategies as st

from deepreservoir.experiments import (
    ALL_ARMS,
    Comparison,
    Record,
    compare,
    save_picture,
    save_table,
    table,
)
from deepreservoir.experiments.comparisons.report import LABELS, draw
from deepreservoir.experiments.comparisons.score_axis import score_limits


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with without_collections():
        yield


@pytest.fixture(scope="module", params=[classes, diabetes], ids=["classes", "numbers"])
def done(request):
    return compare(request.param(), (1, 2), 2, protocol=QUICK)


def cells(line: str) -> list[str]:
    assert line.startswith("| ")
    assert line.endswith(" |")
    return [cell.strip() for cell in line[1:-1].split("|")]


def single(score=0.5, seed=0, **given) -> Record:
    return Record(**{"arm": "adapter", "rank": 4, "trained": 12_345, "stored_bytes": 49_388,
                     "seconds": 1.256, "peak_bytes": 7_400_000} | given | {"seed": seed,
                     "score": score})  # fmt: skip


def made(*records: Record, task="classification", **changes) -> Comparison:
    comparison = Comparison("made", task, QUICK, (4,), (0,), records, "2026-01-01T00:00:00+00:00")
    return replace(comparison, **changes)


# Table -----------------------------------------------------------------------


def test_the_table_is_markdown_of_one_width(done):
    lines = table(done).splitlines()
    header = cells(lines[0])
    assert len(lines) == 2 + len(done.summary())
    assert {len(line) for line in lines} == {len(lines[0])}
    assert {len(cells(line)) for line in lines} == {len(header)}
    rule = cells(lines[1])
    assert re.fullmatch("-{3,}", rule[0])
    assert all(re.fullmatch("-{2,}:", cell) for cell in rule[1:])


def test_the_table_has_a_row_an_arm_and_rank_with_its_numbers(done):
    rows = [cells(line) for line in table(done).splitlines()[2:]]
    percent = 100 if done.task == "classification" else 1
    for row, summary in zip(rows, done.summary(), strict=True):
        label, rank, score, trained, stored, *_ = row
        if summary.arm == "linear":
            kind = {"classification": "logistic", "regression": "ridge"}[done.task]
            assert label == f"{kind} regression"
        else:
            assert label == LABELS[summary.arm]
        assert rank == ("" if summary.rank is None else str(summary.rank))
        assert int(trained.replace(",", "")) == summary.trained
        assert int(stored.replace(",", "")) == summary.stored_bytes
        mean, *spread = (float(part) for part in score.split(" ± "))
        unit = 0.005 if done.task == "classification" else 0.00005
        assert mean == pytest.approx(summary.mean * percent, abs=1.001 * unit)
        assert len(spread) == (summary.runs > 1)
        if spread:
            assert spread[0] == pytest.approx(summary.spread * percent, abs=1.001 * unit)


def test_every_arm_has_a_label_of_its_own():
    assert tuple(LABELS) == ALL_ARMS
    assert len(set(LABELS.values())) == len(ALL_ARMS)


@pytest.mark.parametrize(
    ("task", "head", "score"),
    [("classification", "accuracy %", "87.65"), ("regression", "R²", "0.8765")],
)
def test_one_run_is_shown_without_a_spread(task, head, score):
    lines = table(made(single(0.87654), task=task)).splitlines()
    assert head in cells(lines[0])
    assert cells(lines[2]) == [
        "adapter on a frozen scaffold", "4", score, "12,345", "49,388", "1.26", "7",
    ]  # fmt: skip


def test_an_unknown_peak_is_left_blank():
    assert cells(table(made(single(peak_bytes=None))).splitlines()[2])[-1] == ""


def test_the_file_has_the_date_the_table_and_the_notes(tmp_path):
    comparison = made(single(), notes=("one thing", "another"))
    path = save_table(comparison, tmp_path)
    assert path == tmp_path / "table.md"
    text = path.read_text(encoding="utf-8")
    head, rest = text.split("\n", 1)
    assert head.startswith("# made")
    assert comparison.date in head
    assert "interrupted" not in head
    assert table(comparison) in rest
    assert rest.endswith("\n- one thing\n- another\n")


def test_the_file_of_an_interrupted_comparison_says_so(tmp_path):
    text = save_table(made(single(), complete=False), tmp_path).read_text(encoding="utf-8")
    assert "interrupted" in text.splitlines()[0]


# Picture ---------------------------------------------------------------------


def assert_is_png(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 500
    assert height > 200


def test_the_picture_is_a_png(done, tmp_path):
    pytest.importorskip("matplotlib")
    path = save_picture(done, tmp_path)
    assert path == tmp_path / "accuracy.png"
    assert_is_png(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore:No artists with labels")
@pytest.mark.parametrize(
    "comparison",
    [
        pytest.param(made(), id="no records"),
        pytest.param(made(single()), id="one record"),
        pytest.param(made(single(arm="linear", rank=None)), id="no ranks"),
        pytest.param(made(single(arm="wrong_seed")), id="a control alone"),
        pytest.param(made(single(-5.0), task="regression"), id="a negative score"),
    ],
)
def test_a_picture_of_little_is_a_png_too(comparison, tmp_path):
    pytest.importorskip("matplotlib")
    assert_is_png(save_picture(comparison, tmp_path))


@pytest.mark.filterwarnings("ignore:No artists with labels")
def test_a_picture_with_a_score_that_is_not_a_number_is_a_png_too(tmp_path):
    pytest.importorskip("matplotlib")
    assert_is_png(save_picture(made(single(float("nan"))), tmp_path))


def test_without_matplotlib_there_is_no_picture_and_no_error(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # an import of it now fails
    assert save_picture(made(single()), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


# Axis of scores --------------------------------------------------------------

scores = st.lists(st.floats(-1e6, 100, allow_nan=False), max_size=8)


@given(scores.filter(len), scores, st.sampled_from([1.0, 100.0]))
def test_the_axis_shows_every_adapter_and_every_better_score(adapters, others, unit):
    low, high = score_limits(adapters, others, unit)
    assert low < high
    assert low < min(adapters)
    assert max(adapters + others) < high
    # No control takes more than two thirds of the axis, where the adapters are apart.
    best, worst = max(adapters + others), min(adapters)
    assert high - low <= 1.2 * max(3 * (best - worst), best - worst + 0.05 * unit) + 0.02 * unit


@given(scores.filter(len), scores)
def test_scores_that_are_not_finite_have_no_place_on_the_axis(adapters, others):
    bad = [float("nan"), float("inf"), float("-inf")]
    assert score_limits(adapters + bad, others + bad, 1) == score_limits(adapters, others, 1)
    assert score_limits(bad, others, 1) is None


def arms(seeds=(0, 1), task="classification", **scored) -> Comparison:
    """Return a comparison of one rank: a score, or one for each seed, by arm."""
    records = [
        single(score, seed, arm=arm, rank=None if arm == "linear" else 4)
        for arm, given in scored.items()
        for seed, score in zip(seeds, given, strict=True)
    ]
    return made(*records, task=task, seeds=seeds)


def words_of(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_control_that_fails_is_named_and_does_not_set_the_axis():
    pytest.importorskip("matplotlib")
    figure = draw(arms(adapter=(0.95, 0.96), linear=(0.92, 0.92), wrong_seed=(0.11, 0.09)))
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert 85 < low < 92
        assert 97 > high > 95.5 + 0.71  # the whole bar of a deviation is on the axis
    assert "wrong seed (below the axis: 10)" in words_of(figure)
    assert "logistic regression" in words_of(figure)


def test_a_control_that_comes_near_is_on_the_axis():
    pytest.importorskip("matplotlib")
    figure = draw(arms(adapter=(0.95, 0.96), no_scaffold=(0.93, 0.94), linear=(0.99, 0.99)))
    low, high = figure.axes[0].get_ylim()
    assert low < 93.5
    assert high > 99
    assert not any("below" in words for words in words_of(figure))


def bars_of(figure) -> int:
    return sum(len(bars.lines[2]) for axes in figure.axes for bars in axes.containers)


def test_one_seed_has_neither_a_deviation_nor_bars():
    pytest.importorskip("matplotlib")
    one = draw(arms((0,), adapter=(0.95,), equal_bytes=(0.94,)))
    assert one.get_suptitle() == "made: scores of one seed"
    assert bars_of(one) == 0
    two = draw(arms((0, 1), adapter=(0.95, 0.96), equal_bytes=(0.94, 0.95)))
    assert two.get_suptitle() == "made: mean and standard deviation over 2 seeds"
    assert bars_of(two) == 4
