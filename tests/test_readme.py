"""What the README promises about itself: its commands are the ones that are run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_two_commands_do_all_the_set_up():
    block = re.search(r"```console\n(.*?)```", README, re.S).group(1)
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)
    assert "deepreservoir compare" in commands[0]
    assert commands[1].endswith("-m pytest -n auto")


def test_figures_of_the_mnist_table_are_those_of_the_results_file():
    results = json.loads((ROOT / "benchmarks/results/mnist.json").read_text())
    for row in results["rows"]:
        if row["name"] in {"r1", "r8", "r32", "full"}:
            figure = f"{row['accuracy']:.2f} ± {row['spread']:.2f}"
            assert figure in README, f"{row['name']}: {figure} is not in the README"
            assert f"{row['trained']:,}" in README


def test_figures_of_the_speed_table_are_those_of_the_results_file():
    races = json.loads((ROOT / "benchmarks/results/speed.json").read_text())["races"]
    for name, race in races.items():
        for ratio in race["ratios"]:
            row = f"| {name}: {ratio['faster']} | {ratio['than']} | {ratio['times']:.2f} |"
            assert row in BENCHMARKS
    seconds = races["mnist epoch"]["median_seconds"]
    compiled, alone = seconds["rank 8, numba"], seconds["rank 8"]
    assert f"took {compiled:.2f} s\n  with them and {alone:.2f} s without" in README


def test_figures_of_reservoirs_and_files_are_those_of_the_results_files():
    results = ROOT / "benchmarks/results"
    for name, race in json.loads((results / "echo.json").read_text())["races"].items():
        if "times_faster" in race:
            assert re.search(
                rf"\| {re.escape(name)} \| [^|]+ \| {race['times_faster']:.1f} \|", BENCHMARKS
            ), name
    files = json.loads((results / "files.json").read_text())
    size, seconds = (files["files"]["float32"][key] for key in ("bytes", "seconds_to_load"))
    assert f"| {size:,} bytes |" in BENCHMARKS
    assert f"loaded in {1e3 * seconds:.0f} ms" in BENCHMARKS
    for rows, batch in files["tenants"]["batches"].items():
        assert f"{batch['times_faster']:.1f} times faster together" in BENCHMARKS, rows


def test_the_spread_of_families_is_that_of_the_records():
    means = {}
    for line in (ROOT / "benchmarks/results/mnist_families/records.jsonl").open():
        record = json.loads(line)
        if record["arm"] == "adapter" and record["at"]["rank"] == 8:
            means.setdefault(record["at"]["scaffold"], []).append(100 * record["score"])
    scores = [sum(each) / len(each) for each in means.values()]
    assert len(scores) == 24
    spread = f"and {max(scores) - min(scores):.1f} points at ranks 2, 4 and 8"
    assert f"best minus worst family is 1.2, 0.7 {spread}" in BENCHMARKS


def test_relative_links_and_pictures_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
