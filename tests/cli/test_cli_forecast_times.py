"""``deepreservoir forecast`` on series with dates, through its entry point."""

import csv
import errno
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from cli_tools import files_below, own_folder, run

MONTHS = [f"{2000 + i // 12}-{i % 12 + 1:02d}" for i in range(130)]
RNG = np.random.default_rng(0)
SALES = 10 + np.sin(np.arange(130) * np.pi / 6) + 0.02 * RNG.normal(size=130)
QUICK = ("--units", 40, "--horizon", 10)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    write("sales.csv", MONTHS[:120], SALES[:120])
    return folder


def write(name, times, values, header="month,sales"):
    rows = [f"{time},{value}" for time, value in zip(times, values, strict=True)]
    Path(name).write_text("\n".join([header, *rows]) + "\n")


def read(name):
    with open(name, newline="") as stream:
        return list(csv.reader(stream))


def test_future_values_have_future_dates_and_intervals(capsys):
    assert run("forecast", "sales.csv", *QUICK) == 0
    out = capsys.readouterr().out
    assert "series       120 rows of sales\n" in out
    assert "time         month: monthly, 120 values from 2000-01 to 2009-12\n" in out
    assert "10 steps from 2010-01 to 2010-10" in out
    assert "90 %, from the errors of 60 earlier forecasts" in out
    header, *rows = read("sales-forecast.csv")
    assert header == ["month", "sales", "sales_lower", "sales_upper"]
    assert [row[0] for row in rows] == MONTHS[120:]
    values = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(values[:, 0], SALES[120:], atol=0.5)
    inside = (values[:, 1] <= SALES[120:]) & (SALES[120:] <= values[:, 2])
    assert inside.mean() >= 0.7


@pytest.mark.parametrize("order", ["newest first", "shuffled"])
def test_the_order_of_the_file_changes_nothing(capsys, order):
    rows = np.arange(120)[::-1] if order == "newest first" else RNG.permutation(120)
    write("mixed.csv", np.array(MONTHS)[rows], SALES[rows])
    for name in ("sales.csv", "mixed.csv"):
        assert run("forecast", name, *QUICK) == 0
    assert Path("sales-forecast.csv").read_text() == Path("mixed-forecast.csv").read_text()
    words = {"newest first": "the file is newest first", "shuffled": "not in this order"}
    assert words[order] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("header", "cells", "first"),
    [
        ("YEAR,sales", range(1880, 2000), "2000"),
        ("unix,sales", range(0, 120 * 3600, 3600), "0"),
        (",sales", range(120), "1"),
    ],
    ids=["years", "unix", "index"],
)
def test_columns_that_count_are_not_forecast(capsys, header, cells, first):
    cells = [cell + 1_700_000_000 if header.startswith("unix") else cell for cell in cells]
    first = str(1_700_000_000 + 120 * 3600) if header.startswith("unix") else first
    write("s.csv", cells, SALES[:120], header)
    assert run("forecast", "s.csv", *QUICK) == 0
    out = capsys.readouterr().out
    assert "120 rows of sales\n" in out
    if header == ",sales":
        assert "left out     (no name) (counts the rows)" in out
    assert read("s-forecast.csv")[1][0] == first


def test_gaps_are_warned_of(capsys):
    write("gaps.csv", MONTHS[:50] + MONTHS[52:120], np.delete(SALES[:120], [50, 51]))
    assert run("forecast", "gaps.csv", *QUICK) == 0
    shown = capsys.readouterr()
    assert "warning: 2 of 120 times are missing (2004-03, 2004-04); the rows are" in shown.err
    assert read("gaps-forecast.csv")[1][0] == "2010-01"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({7: "2000-03"}, ["row 9, column 'month'", "'2000-03' occurs 2 times", "--drop month"]),
        ({7: "?"}, ["row 9, column 'month'", "expected a date as in other rows", "'?'"]),
        ({119: "2019-07"}, ["column 'month'"]),
    ],
    ids=["twice", "missing", "far"],
)
def test_times_that_do_not_fit_are_refused(capsys, change, words):
    times = [change.get(i, month) for i, month in enumerate(MONTHS[:120])]
    write("bad.csv", times, SALES[:120])
    status = run("forecast", "bad.csv", *QUICK)
    shown = capsys.readouterr()
    if 119 in change:  # a single gap, however long, is warned of
        assert status == 0
        assert "115 of 235 times are missing" in shown.err
        return
    assert status != 0
    assert shown.out == ""
    assert all(word in shown.err for word in words), shown.err
    assert files_below(Path.cwd()) == ["bad.csv", "sales.csv"]
    assert run("forecast", "bad.csv", *QUICK, "--drop", "month") == 0
    assert read("bad-forecast.csv")[0][0] == "step"


def test_the_format_of_the_file_and_the_columns_are_options(capsys):
    rows = [f"{m};{v};{v * v}" for m, v in zip(MONTHS[:120], SALES[:120], strict=True)]
    Path("plain.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode("utf-16")))
    options = ("--no-header", "--delimiter", ";", "--encoding", "utf-16")
    assert run("forecast", "plain.csv.gz", *QUICK, *options, "--time", "1", "--drop", "3") == 0
    assert read("plain-forecast.csv")[0] == ["1", "2", "2_lower", "2_upper"]
    assert "left out     3 (dropped)" in capsys.readouterr().out


def test_the_level_of_intervals_is_an_option(capsys):
    widths = []
    for level in ("0.5", "0.9"):
        assert run("forecast", "sales.csv", *QUICK, "--interval", level, "--test", 20) == 0
        out = capsys.readouterr().out
        assert f"for a level of {float(level) * 100:g} %" in out
        _, *rows = read("sales-forecast.csv")
        widths.append([float(row[3]) - float(row[2]) for row in rows])
    assert (np.array(widths[0]) < widths[1]).all()
    assert run("forecast", "sales.csv", *QUICK, "--interval", 0) == 0
    assert read("sales-forecast.csv")[0] == ["month", "sales"]
    out = capsys.readouterr().out
    assert "interval" not in out
    assert run("forecast", "sales.csv", *QUICK, "--interval", 1) != 0


def test_intervals_end_where_the_series_is_too_short_for_them(capsys):
    assert run("forecast", "sales.csv", "--units", 40, "--horizon", 50) == 0
    assert "; only at the first 30 steps, beyond which the series is too short" in (
        capsys.readouterr().out
    )
    _, *rows = read("sales-forecast.csv")
    assert [bool(row[2]) for row in rows] == [True] * 30 + [False] * 20


def test_a_better_repetition_is_said_to_be_better(capsys):
    season = np.tile(RNG.normal(size=12), 10)
    write("season.csv", MONTHS[:120], season)
    # A reservoir with hardly any memory cannot know the month.
    options = ("--spectral-radius", 0.01, "--leak-rate", 1, "--units", 20, "--horizon", 12)
    assert run("forecast", "season.csv", *options, "--test", 12) == 0
    out = capsys.readouterr().out
    better = "the last season of 12 rows repeated has a smaller error (0 standard deviations)"
    assert f"On the held-out rows, {better}" in out
    assert f"12 steps each, {better} than the network" in out
    walk = np.cumsum(RNG.normal(size=120))
    write("walk.csv", MONTHS[:120], walk)
    assert run("forecast", "walk.csv", *options, "--input-scaling", 0) == 0
    assert "the last value repeated has a smaller error" in capsys.readouterr().out


@pytest.mark.parametrize("which", ["forecast", "picture"])
def test_a_full_disk_loses_nothing_that_was_found(capsys, monkeypatch, which):
    if which == "picture":
        pytest.importorskip("matplotlib")
    replace = os.replace
    calls = []

    def full(source, target):
        calls.append(target)
        if len(calls) > (which == "picture"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert run("forecast", "sales.csv", *QUICK, "--plot", "p.png", "--out", "f.csv") == 1
    shown = capsys.readouterr()
    assert "120 rows of sales" in shown.out
    if which == "forecast":
        assert "the forecast could not be written to f.csv: No space left on device" in shown.err
        assert "month,sales,sales_lower,sales_upper\n2010-01," in shown.out
        assert files_below(Path.cwd()) == ["sales.csv"]
    else:
        assert "the picture could not be written to p.png: No space left on device" in shown.err
        assert "the forecast is in f.csv" in shown.err
        assert files_below(Path.cwd()) == ["f.csv", "sales.csv"]
