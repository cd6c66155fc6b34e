"""What the README promises about itself: its commands are the ones that are run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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
    for name, pairs in {
        "generation": [("numpy standard_normal", "scaffold")],
        "one layer": [("torch adapters", "dense"), ("torch fused full", "hadamard")],
        "mnist epoch": [("torch full", "rank 8"), ("torch fused full", "rank 8")],
    }.items():
        for slow, fast in pairs:
            (times,) = (
                ratio["times"]
                for ratio in races[name]["ratios"]
                if (ratio["than"], ratio["faster"]) == (slow, fast)
            )
            assert f"{times:.1f}" in README, f"{fast} against {slow}: {times:.1f}"


def test_figures_of_reservoirs_and_files_are_those_of_the_results_files():
    results = ROOT / "benchmarks/results"
    races = json.loads((results / "echo.json").read_text())["races"]
    for name in ("one series, 1000 units", "eight series, 1000 units", "hadamard, 2048 units"):
        assert f"{races[name]['times_faster']:.1f} times faster" in README, name
    alone = races["one series, 1000 units, NumPy alone"]["times_faster"]
    assert f"reservoirpy ({alone:.1f} times)" in README
    files = json.loads((results / "files.json").read_text())
    size, seconds = (files["files"]["float32"][key] for key in ("bytes", "seconds_to_load"))
    assert f"{size / 1e3:.0f} kB, loaded in {1e3 * seconds:.0f} ms" in README
    served = files["tenants"]["batches"]["4"]["times_faster"]
    assert f"{served:.1f} times faster" in README


def test_the_spread_of_families_is_that_of_the_records():
    means = {}
    for line in (ROOT / "benchmarks/results/mnist_families/records.jsonl").open():
        record = json.loads(line)
        if record["arm"] == "adapter" and record["at"]["rank"] == 8:
            means.setdefault(record["at"]["scaffold"], []).append(100 * record["score"])
    scores = [sum(each) / len(each) for each in means.values()]
    assert len(scores) == 24
    assert f"| {max(scores) - min(scores):.2f} points |" in README


def test_relative_links_and_pictures_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
