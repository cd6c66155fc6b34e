"""``deepreservoir forecast`` through its entry point."""

import contextlib
import csv
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir.experiments import SERIES

WAVE = np.c_[np.sin(np.arange(300) / 5), np.cos(np.arange(300) / 5)]
QUICK = ("--units", 60, "--horizon", 20)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    with open("wave.csv", "w") as stream:
        stream.write("day,x,y\n")
        for i, (x, y) in enumerate(WAVE):
            stream.write(f"day {i},{x},{y}\n")
    return folder


def read(path):
    with open(path, newline="") as stream:
        header, *rows = csv.reader(stream)
    return header, np.array([[cell or "nan" for cell in row] for row in rows], float)


def refusal(capsys, *arguments):
    """Run a command that must be refused; return its one message."""
    before = files_below(Path.cwd())
    assert run("forecast", *arguments) != 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert files_below(Path.cwd()) == before
    (message,) = [line for line in shown.err.splitlines() if line.startswith("Error: ")]
    return message


def test_the_forecast_goes_on_with_the_series(capsys):
    assert run("forecast", "wave.csv", *QUICK) == 0
    header, rows = read("wave-forecast.csv")
    assert header == ["step", "x", "y", "x_lower", "x_upper", "y_lower", "y_upper"]
    np.testing.assert_array_equal(rows[:, 0], np.arange(1, 21))
    ahead = np.arange(300, 320) / 5
    np.testing.assert_allclose(rows[:, 1:3], np.c_[np.sin(ahead), np.cos(ahead)], atol=0.05)
    assert (rows[:, [3, 5]] <= rows[:, 1:3]).all()
    assert (rows[:, 1:3] <= rows[:, [4, 6]]).all()
    out = capsys.readouterr().out
    assert "300 rows of x, y" in out
    assert "122 parameters" in out


def test_held_out_rows_are_told_beside_persistence(capsys):
    assert run("forecast", "wave.csv", *QUICK, "--test", 50, "--columns", "y") == 0
    out = capsys.readouterr().out
    assert "the last 50 rows" in out
    assert "50 of 50 steps" in out
    assert "persistence: " in out
    assert "seasonal: " in out
    assert "On the held-out rows, the network has a smaller error" in out
    assert read("wave-forecast.csv")[0] == ["step", "y", "y_lower", "y_upper"]


def test_the_picture_and_the_file_are_where_they_were_asked_for():
    pytest.importorskip("matplotlib")
    assert run("forecast", "wave.csv", *QUICK, "--plot", "a.svg", "--out", "b.csv") == 0
    assert files_below(Path.cwd()) == ["a.svg", "b.csv", "wave.csv"]
    with open("a.svg") as stream:
        assert "<svg" in stream.read()


def test_the_same_seed_writes_the_same_file():
    written = []
    for seed in (1, 1, 2):
        assert run("forecast", "wave.csv", *QUICK, "--seed", seed) == 0
        with open("wave-forecast.csv") as stream:
            written.append(stream.read())
    assert written[0] == written[1] != written[2]


def test_a_forecast_that_runs_away_is_said_to(capsys):
    options = ("--spectral-radius", 8, "--input-scaling", 0.001, "--horizon", 20000)
    walk = np.cumsum(np.random.default_rng(0).normal(size=(60, 1)), axis=0)
    np.savetxt("walk.csv", walk, header="w", comments="")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert run("forecast", "walk.csv", "--units", 30, *options) == 0
    ran_away = np.abs((read("walk-forecast.csv")[1][:, 1] - walk.mean()) / walk.std()).max() > 10
    told = any("the forecast leaves the range" in str(one.message) for one in caught)
    assert told is bool(ran_away)


@pytest.mark.parametrize("last", [100.0, -1e6])
def test_an_unusual_last_value_is_named(last, capsys):
    values = [*(7 + i % 7 for i in range(200)), last]
    np.savetxt("week.csv", values, header="v", comments="")
    with pytest.warns(UserWarning, match=r"the last value of 'v', .* is far outside"):
        assert run("forecast", "week.csv", "--units", 30, "--horizon", 3) == 0
    np.savetxt("week.csv", values[:-1], header="v", comments="")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run("forecast", "week.csv", "--units", 30, "--horizon", 3) == 0


def test_a_name_with_a_comma_is_quoted(here, capsys):
    (here / "wave.csv").write_text(
        (here / "wave.csv").read_text().replace("day,x,y", 'day,x,"y,z"')
    )
    for option, names in (("--columns", "y,z"), ("--drop", "x")):
        options = (option, '"y,z"', "--units", 30, "--horizon", 3)
        assert run("forecast", "wave.csv", *options) == 0
        assert f"300 rows of {names}\n" in capsys.readouterr().out


def test_a_forecast_that_leaves_the_range_has_no_intervals(here, capsys, monkeypatch):
    monkeypatch.setattr("deepreservoir.experiments.forecasts.forecast._FAR", 0.0)
    with pytest.warns(UserWarning, match="leaves the range of the series, and has no intervals"):
        assert run("forecast", "wave.csv", "--units", 30, "--horizon", 3, "--out", "f.csv") == 0
    out = capsys.readouterr().out
    assert "\nintervals    none: the forecast leaves the range of the series\n" in out
    assert (here / "f.csv").read_text().splitlines()[1].endswith(",,,,")


def test_a_column_of_times_that_cannot_be_read_is_named(capsys):
    rows = "\n".join(f"Monday the {i}th,{np.sin(i)}" for i in range(60))
    Path("odd.csv").write_text(f"date,v\n{rows}\n")
    assert run("forecast", "odd.csv", "--units", 30) == 0
    assert "warning: column 'date' could not be read as times" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope.csv",), ["nope.csv", "does not exist"]),
        ((".",), ["directory"]),
        (("wave.csv", "--columns", "z"), ["no column 'z'", "day, x, y"]),
        (("wave.csv", "--columns", "day"), ["row 2, column 'day'", "'day 0'"]),
        (("wave.csv", "--columns", "x,x"), ["column 'x' is named twice"]),
        (("wave.csv", "--columns", ""), ["expected names such as a,b", "''"]),
        (("wave.csv", "--horizon", "0"), ["--horizon", "0"]),
        (("wave.csv", "--test", "290"), ["at least 20 rows", "got 300", "290 are held out"]),
        (("wave.csv", "--test", "1"), ["at least 2"]),
        (("wave.csv", "--units", "0"), ["--units"]),
        (("wave.csv", "--leak-rate", "2"), ["--leak-rate", "2"]),
        (("wave.csv", "--spectral-radius", "x"), ["--spectral-radius", "'x'"]),
        (("wave.csv", "--washout", "400"), ["washout", "400"]),
        (("wave.csv", "--plot", "a.xyz"), [".png", "'a.xyz'"]),
        (("wave.csv", "--plot", "a.pgf"), [".png, .svg, .pdf, .jpg", "'a.pgf'"]),
        (("wave.csv", "--plot", "p.png", "--out", "./p.png"), ["--plot and --out", "p.png"]),
        (("wave.csv", "--plot", "no/a.png"), ["not a writable folder", "a.png"]),
        (
            ("wave.csv", "--out", "wave.csv"),
            ["wave.csv is an input and would be overwritten"],
        ),
        (("wave.csv", "--out", "no/b.csv"), ["not a writable folder", "b.csv"]),
    ],
    ids=lambda value: " ".join(map(str, value))[:40],
)
def test_wrong_input_is_one_message_and_leaves_nothing(capsys, arguments, words):
    message = refusal(capsys, *arguments)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["header"]),
        ("x\n", ["at least one row"]),
        ("x\n" + "1\n2\n" * 5, ["at least 20 rows", "got 10"]),
        ("x\n" + "1\n" * 30, ["'x' is constant"]),
        ("x,y\n" + "1,2\n3\n", ["row 3", "expected 2 cells", "got 1"]),
        ("x\n" + "1\n2\n" * 15 + "nan\n", ["row 32, column 'x'", "finite"]),
        ("x,y\n" + "1,2\n" * 15 + " ,2\n", ["row 17, column 'x'", "empty"]),
        ("day\n" + "monday\n" * 30, ["no numeric column", "day"]),
        ("0.5\n" + "1\n2\n" * 15, ["no header", "0.5", "names above it"]),
        ("x\n" + "1\n2\n" * 15 + "n/a\n", ["row 32, column 'x'", "'n/a'", "--columns"]),
    ],
    ids=range(10),
)
def test_a_file_that_is_no_series_is_said_what_is_wrong_with(capsys, content, words):
    with open("bad.csv", "w") as stream:
        stream.write(content)
    message = refusal(capsys, "bad.csv")
    assert all(word in message for word in words), message


@pytest.mark.slow
def test_as_an_installed_program(here):
    done = subprocess.run(
        [*program(), "forecast", "wave.csv", "--units", "60", "--horizon", "5"],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith("warning: column 'day' could not be read as times")
    assert done.stderr.count("\n") == 1
    assert "Wrote wave-forecast.csv" in done.stdout


def test_without_matplotlib_a_picture_is_refused_before_the_work(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    assert "deepreservoir[plot]" in refusal(capsys, "wave.csv", "--plot", "a.png")


def test_forecasts_of_a_series_are_compared(capsys, monkeypatch):
    short = replace(SERIES["lorenz63"], n_train=800, n_starts=8, horizon=400)
    monkeypatch.setitem(SERIES, "lorenz63", short)
    options = ("--arms", "nvar,persistence", "--seeds", 1, "--out", "o")
    assert run("compare", "lorenz63", *options) == 0
    out = capsys.readouterr().out
    assert "NVAR" in out
    assert "persistence" in out
    kept = {name for name in files_below(Path.cwd()) if name.startswith("o/")}
    assert kept >= {"o/results.json", "o/table.md"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mackey_glass", "--target", "x"), ["--target is for CSV files", "mackey_glass"]),
        (("mackey_glass", "--arms", "full"), ["arms", "echo_state", "full"]),
        (("lorenz63", "--ranks", "16"), ["between 1 and 15", "got 16"]),
    ],
    ids=["target", "arm", "rank"],
)
def test_a_comparison_that_cannot_be_is_refused(capsys, arguments, words):
    assert run("compare", *arguments) != 0
    message = capsys.readouterr().err
    assert all(word in message for word in words), message
    assert files_below(Path.cwd()) == ["wave.csv"]


def test_the_files_are_written_before_anything_is_printed(monkeypatch):
    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr("deepreservoir.cli.forecast._print_series", closed)
    with contextlib.suppress(BrokenPipeError):
        run("forecast", "wave.csv", *QUICK)
    assert read("wave-forecast.csv")[1].shape[0] == 20


def test_ends_of_intervals_have_names_of_their_own():
    with open("named.csv", "w") as stream:
        stream.write("x,x_lower\n" + "".join(f"{x},{y}\n" for x, y in WAVE))
    assert run("forecast", "named.csv", *QUICK) == 0
    header, _ = read("named-forecast.csv")
    assert header[:3] == ["step", "x", "x_lower"]
    assert len(set(header)) == len(header) == 7
