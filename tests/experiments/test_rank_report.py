"""The picture of a rank search: what its axis shows."""

import re

import pytest
from experiment_tools import QUICK

from deepreservoir.experiments.tables.rank_report import draw_ranks
from deepreservoir.experiments.tables.rank_table import RankRow, RankTable


def table(*rows: tuple[int, float, float], level: float = 0.02) -> RankTable:
    """Return a made-up search: (rank, loss, half the width of the interval)."""
    tested = tuple(
        RankRow(rank, loss, 0.0, loss - level, loss - level - half, loss - level + half,
                100 * rank, 400 * rank)
        for rank, loss, half in rows
    )  # fmt: skip
    baseline = RankRow(None, level, 0.0, None, None, None, 9000, 36_000)
    return RankTable(
        "made", "classification", 0.5, rows[0][0], True, tested, baseline, 0.9, 100, 5, None, False,
        0.95, 3, 3, QUICK, "2026-01-01T00:00:00+00:00", {},
    )  # fmt: skip


def tick_labels(result: RankTable) -> list[float]:
    """Return the numbers along the axes: an SVG has the text of every label in a comment."""
    svg = draw_ranks(result, "svg").decode()
    words = (
        text.strip().replace("\N{MINUS SIGN}", "-") for text in re.findall("<!--(.*?)-->", svg)
    )
    return [float(text) for text in words if re.fullmatch(r"-?\d+(\.\d+)?", text)]


def test_a_loss_has_no_negative_axis():
    pytest.importorskip("matplotlib")
    labels = tick_labels(table((1, 0.3, 0.4), (2, 0.1, 0.2)))
    assert {1.0, 2.0} <= set(labels)
    assert max(labels) >= 0.6
    assert min(labels) >= 0


def test_an_axis_above_zero_begins_near_the_losses():
    pytest.importorskip("matplotlib")
    labels = tick_labels(table((1, 9.5, 0.1), (2, 9.3, 0.1), level=9.0))
    assert min(label for label in labels if label > 2) > 8  # the ranks are 1 and 2
