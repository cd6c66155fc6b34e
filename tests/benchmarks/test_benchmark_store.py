"""Where figures are kept: one JSON file a benchmark, with machine, versions and date."""

import json
import os
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from benchmark_tools import ROOT, imported

storing = imported("store")


def test_figures_are_kept_with_machine_versions_and_date(tmp_path):
    path = storing.store("speed", {"rounds": 3, "races": {"one": [1.5]}}, tmp_path / "new")
    assert path == tmp_path / "new" / "speed.json"
    document = json.loads(path.read_text())
    assert document["benchmark"] == "speed"
    assert document["rounds"] == 3
    assert document["races"] == {"one": [1.5]}
    assert document["machine"]["cores"] == os.cpu_count()
    assert document["machine"]["processor"] is not None
    assert document["versions"]["numpy"] == version("numpy")
    assert "deepreservoir" in document["versions"]
    age = datetime.now(UTC) - datetime.fromisoformat(document["date"])
    assert timedelta(0) <= age < timedelta(hours=1)
    assert [found.name for found in path.parent.iterdir()] == ["speed.json"]


def test_a_second_run_takes_the_place_of_the_first(tmp_path):
    for rounds in (1, 2):
        path = storing.store("speed", {"rounds": rounds}, tmp_path)
    assert json.loads(path.read_text())["rounds"] == 2


def test_results_lie_beside_the_benchmarks_unless_told():
    assert storing.RESULTS == ROOT / "benchmarks" / "results"
