"""The paper's MNIST table: its counts, what they are made of, and how a line is judged."""

import json
from dataclasses import replace
from statistics import fmean, stdev

import pytest
from benchmark_tools import imported

from deepreservoir.datasets import load_dataset
from deepreservoir.experiments import Protocol
from deepreservoir.models import MLPConfig

mnist = imported("mnist")

WIDTHS = (784, 512, 256, 128, 64, 10)

# arXiv 2604.08749, MNIST, preset "medium": rank -> (trained parameters, test accuracy %).
PAPER = {
    1: (3_294, 89.33),
    2: (5_934, 92.73),
    4: (11_214, 95.44),
    8: (21_774, 96.80),
    16: (42_894, 97.53),
    32: (85_134, 97.80),
    None: (575_050, 98.38),
}


@pytest.mark.parametrize("rank", list(PAPER))
def test_every_rank_of_the_paper_has_its_line(rank):
    name = "full" if rank is None else f"r{rank}"
    (row,) = [row for row in mnist.ROWS if row.name == name]
    assert row.rank == rank
    assert (row.trained, row.paper) == PAPER[rank]
    assert row.at_least is not None


def test_names_of_lines_are_their_own():
    names = [row.name for row in mnist.ROWS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", mnist.ROWS, ids=lambda row: row.name)
def test_the_paper_s_count_is_what_the_network_trains(row):
    params = row.protocol.parameters()
    hidden = params["hidden_layer_sizes"]
    assert (784, *hidden, 10) == WIDTHS
    shape = {"rank": row.rank} if row.rank else {"adapter": "full", "bias": True}
    config = MLPConfig(784, 10, hidden, scaffold=row.protocol.scaffold, **shape)
    assert config.n_params == row.trained == PAPER[row.rank][0]


@pytest.mark.parametrize("row", mnist.ROWS, ids=lambda row: row.name)
def test_every_line_keeps_the_paper_s_protocol(row):
    protocol = row.protocol
    assert (protocol.max_iter, protocol.batch_size, protocol.dropout) == (20, 128, 0.1)
    assert (protocol.schedule, protocol.weight_decay) == ("cosine", 1e-2)
    assert protocol.validation  # a tenth is held out
    if row.name.startswith("paper"):
        assert protocol.learning_rate_init == 1e-3
        assert row.within is not None


def test_the_three_readings_of_the_paper_s_scale_are_the_scales_they_name():
    found = {}
    for row in mnist.ROWS:
        if row.name.startswith("paper, r8"):
            params = row.protocol.parameters()
            given = {name: params[name] for name in ("lora_alpha", "scaling")}
            config = MLPConfig(784, 10, (512,), rank=8, **given)
            (pair,) = config.build()[0].layers
            found[row.name.rsplit(", ", 1)[1]] = pair.dense.adapter.scaling
    assert found == {"s = 1/rank": 1 / 8, "s = 1/sqrt(rank)": pytest.approx(8**-0.5), "s = 1": 1}


# Judging a line --------------------------------------------------------------

ROW = mnist.Row("r", Protocol(), 1, 100)


@pytest.mark.parametrize(
    ("changes", "mean", "met"),
    [
        ({"at_least": 90.0}, 90.0, True),
        ({"at_least": 90.0}, 89.99, False),
        ({"paper": 96.0, "within": 0.5}, 95.5, True),
        ({"paper": 96.0, "within": 0.5}, 95.4, False),
        ({"paper": 96.0, "within": 0.5}, 96.6, False),  # above is off the paper's figure too
        ({"paper": 96.0}, 10.0, True),
        ({}, 10.0, True),
    ],
)
def test_a_target_is_met_or_missed(changes, mean, met):
    assert mnist._met(replace(ROW, **changes), mean) is met


QUICK = Protocol(hidden_layer_sizes=(16,), max_iter=2)
TRAINED = {1: 64 + 16 + 1 + 170, None: 64 * 16 + 16 + 170}  # digits: 64 features, 10 classes


@pytest.mark.parametrize("rank", [1, None])
def test_a_line_is_run_over_seeds_and_summarised(rank):
    row = mnist.Row("r", QUICK, rank, TRAINED[rank], paper=50.0, at_least=0.0)
    line = mnist.run_row(row, load_dataset("digits"), 3)
    accuracies = line["accuracies"]
    assert len(accuracies) == 3
    assert all(0 <= accuracy <= 100 for accuracy in accuracies)
    assert line["accuracy"] == pytest.approx(fmean(accuracies))
    assert line["spread"] == pytest.approx(stdev(accuracies))
    assert line["trained"] == line["paper"]["trained"] == TRAINED[rank]
    assert line["met"] is True
    assert json.loads(json.dumps(line))["protocol"]["max_iter"] == 2


def test_another_count_than_the_paper_s_is_a_miss():
    row = mnist.Row("r", QUICK, 1, TRAINED[1] + 1, at_least=0.0)
    line = mnist.run_row(row, load_dataset("digits"), 1)
    assert line["met"] is False
    assert line["spread"] == 0.0


def test_the_table_is_told_line_by_line_and_a_miss_is_marked(monkeypatch):
    rows = (
        mnist.Row("good", QUICK, 1, TRAINED[1], at_least=1.0),
        mnist.Row("bad", QUICK, 1, TRAINED[1], paper=99.0, within=0.1),
        mnist.Row("free", QUICK, 1, TRAINED[1]),
    )
    monkeypatch.setattr(mnist, "ROWS", rows)
    told = []
    found = mnist.run(load_dataset("digits"), 1, told.append)
    assert found["seeds"] == 1
    assert [line["name"] for line in found["rows"]] == ["good", "bad", "free"]
    header, *lines = told
    assert "trained" in header
    assert [line.split()[0] for line in lines] == ["good", "bad", "free"]
    assert ["MISSED" in line for line in lines] == [False, True, False]
    assert f"{TRAINED[1]:,}" in lines[0]
