"""A comparison as a Markdown table and as a picture."""

import re
import struct
import sys
from dataclasses import replace

import pytest
from experiment_tools import QUICK, classes, diabetes, without_collections

from deepreservoir.experiments import (
    ARMS,
    Comparison,
    Record,
    compare,
    save_picture,
    save_table,
    table,
)
from deepreservoir.experiments.comparisons.report import LABELS


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
    assert tuple(LABELS) == ARMS
    assert len(set(LABELS.values())) == len(ARMS)


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


def test_a_picture_with_a_score_that_is_not_a_number_is_a_png_too(tmp_path):
    pytest.importorskip("matplotlib")
    assert_is_png(save_picture(made(single(float("nan"))), tmp_path))


def test_without_matplotlib_there_is_no_picture_and_no_error(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # an import of it now fails
    assert save_picture(made(single()), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
