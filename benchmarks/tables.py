"""The results in benchmarks/results as Markdown tables, for the README and the docs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import declared

_README_ROWS = {
    "r1": "adapters, rank 1",
    "r2": "adapters, rank 2",
    "r4": "adapters, rank 4",
    "r8": "adapters, rank 8",
    "r16": "adapters, rank 16",
    "r32": "adapters, rank 32",
    "full": "fully trained",
}


# Target for other families at rank 8: maximum distance from the normal family, in points.
_FAMILY_TOLERANCE = 0.3


def _load(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return document


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; all columns except the first are right-aligned."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def provenance(document: dict[str, Any]) -> str:
    """Return the machine, versions and date of a results file on one line."""
    machine, versions = document["machine"], document["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"{machine['processor']}, {machine['cores']} cores; {'; '.join(machine['blas'])}; "
        f"{packages}; {document['date'][:10]}"
    )


def mnist(folder: Path) -> str:
    """Return the MNIST table: all rows, our results and the paper's."""
    document = _load(folder, "mnist")
    rows = []
    rank_8 = next(row["accuracy"] for row in document["rows"] if row["name"] == "r8")
    for row in document["rows"]:
        target, met = row["target"], row["met"]
        aim = f"≥ {target['at_least']}" if target["at_least"] else ""
        aim = f"± {target['within_of_paper']}" if target["within_of_paper"] else aim
        if row["name"].startswith("r8 "):  # another family
            aim = f"rank 8 ± {_FAMILY_TOLERANCE}"
            met = abs(row["accuracy"] - rank_8) <= _FAMILY_TOLERANCE
        paper = row["paper"]["accuracy"]
        rows.append(
            [
                _README_ROWS.get(row["name"], row["name"]),
                f"{row['trained']:,}",
                f"{row['accuracy']:.2f} ± {row['spread']:.2f}",
                "" if paper is None else f"{paper:.2f}",
                aim,
                "yes" if met else "**missed**",
            ]
        )
    head = ["MNIST medium", "trained parameters", "test accuracy %", "paper %", "target", "met"]
    return f"{markdown(head, rows)}\n\n{document['seeds']} seeds; {provenance(document)}."


def speed(folder: Path) -> str:
    """Return the ratios of the speed races, and the medians from which they follow."""
    document = _load(folder, "speed")
    ratios, times = [], []
    for name, race in document["races"].items():
        for pair in race["ratios"]:
            target = "" if pair["target"] is None else f"≥ {pair['target']:g}"
            if target and pair["times"] < pair["target"]:
                target += " **missed**"
            ratios.append(
                [f"{name}: {pair['faster']}", pair["than"], f"{pair['times']:.2f}", target]
            )
        for contender, seconds in race["median_seconds"].items():
            times.append([f"{name}: {contender}", f"{1e3 * seconds:.2f}"])
    share = document["races"]["one layer"]["share_of_machine_rate"]["reached"]
    return "\n\n".join(
        [
            markdown(["contender", "against", "times faster", "target"], ratios),
            markdown(["contender", "median ms"], times),
            f"The dense layer reaches {share:.2f} of the machine's float32 matrix rate "
            f"(target 0.5). {document['rounds']} rounds; {provenance(document)}.",
        ]
    )


def memory(folder: Path) -> str:
    """Return the memory table."""
    document = _load(folder, "memory")
    fit, packed, streamed = document["fit"], document["packed"], document["streamed"]
    rows = [
        [
            "fit, MNIST medium, rank 8, 54,000 rows: peak above start",
            f"{fit['peak_bytes_over_start'] / 1e6:.0f} MB",
            f"{fit['share']:.2f} of the required memory (target 1.5)",
        ],
        [
            "binary scaffold 4096 x 4096, packed",
            f"{packed['packed_bytes'] / 1e6:.1f} MB",
            f"1/{packed['ratio']:.0f} of dense (target 1/32)",
        ],
        [
            "layer of 20,000 x 20,000, streamed: peak above start",
            f"{streamed['peak_bytes_over_start'] / 1e6:.0f} MB",
            "target below 300 MB",
        ],
    ]
    return f"{markdown(['object', 'memory', 'comparison'], rows)}\n\n{provenance(document)}."


def echo(folder: Path) -> str:
    """Return the table of echo-state networks against reservoirpy."""
    document = _load(folder, "echo")
    rows, times, differences = [], [], []
    for name, race in document["races"].items():
        ours, peer = race["nrmse"].get("ours"), race["nrmse"].get("reservoirpy")
        target, faster = race.get("target"), race.get("times_faster")
        missed = bool(target and faster < target)
        rows.append(
            [
                name,
                race.get("against", ""),
                f"{race['microseconds_a_step']:.1f} µs per step"
                if faster is None
                else f"{faster:.1f}",
                "" if target is None else f"≥ {target:g}" + (" **missed**" if missed else ""),
                "" if ours is None else f"{ours:.2g}",
                "" if peer is None else f"{peer:.2g}",
            ]
        )
        for contender, seconds in race["median_seconds"].items():
            times.append([f"{name}: {contender}", f"{1e3 * seconds:.1f}"])
        if "largest_difference_of_states" in race:
            differences.append(race["largest_difference_of_states"])
    head = ["Mackey-Glass", "against", "times faster", "target", "NRMSE", "reservoirpy's"]
    states = ""
    if differences:
        states = f"The states of both in float64 differ by at most {max(differences):.1g}. "
    return "\n\n".join(
        [
            markdown(head, rows),
            markdown(["contender", "median ms"], times),
            f"{states}{document['rounds']} rounds; {provenance(document)}.",
        ]
    )


def forecasting(folder: Path) -> str:
    """Return the table of the accuracy of echo-state networks, over seeds."""
    document = _load(folder, "forecasting")
    tasks = document["tasks"]
    mackey, lorenz, narma = (tasks[name] for name in ("mackey_glass", "lorenz63", "narma10"))
    ring, by_length = tasks["memory_capacity"], tasks["fit_memory"]["by_length"]
    horizon = lorenz["horizon_lyapunov_times"]

    def row(
        task: str, measure: str, figures: dict[str, Any], digits: str, most: float = float("inf")
    ) -> list[str]:
        def number(name: str) -> str:
            value = figures[name]
            return ("at least " if value >= most - 1e-9 else "") + f"{value:{digits}}"

        return [task, measure, number("median"), f"{number('least')} to {number('most')}"]

    rows = [
        row("Mackey-Glass, tau 17", "NRMSE at 84 steps", mackey["nrmse_84"], ".2g"),
        row(
            "the same",
            f"valid time, of {mackey['horizon']:,} steps",
            mackey["valid_time_units_of_time"],
            ".0f",
            mackey["horizon"],
        ),
        row(
            "Lorenz-63",
            f"valid time, Lyapunov times, of {horizon:.1f}",
            lorenz["valid_time_lyapunov_times"],
            ".1f",
            horizon,
        ),
        row("NARMA-10", "NRMSE", narma["nrmse"], ".3f"),
        ["linear ring, 100 units", "memory capacity, at most 100", f"{ring['capacity']:.1f}", ""],
    ]
    for length, peak in by_length.items():
        series = f"series {peak['series_bytes'] / 1e6:.1f} MB"
        cell = f"{peak['peak_bytes'] / 1e6:.0f} MB"
        rows.append([f"fit of {int(length):,} steps", "peak memory above start", cell, series])
    head = ["task", "measure", "median over seeds", "minimum to maximum"]
    return f"{markdown(head, rows)}\n\n{document['seeds']} seeds; {provenance(document)}."


def files(folder: Path) -> str:
    """Return the table of model files, and of the time that serving tenants together saves."""
    document = _load(folder, "files")
    rows = []
    for dtype, kept in document["files"].items():
        most = kept["target_bytes"]
        rows.append(
            [
                f"MNIST medium, rank 8, {dtype}",
                f"{kept['bytes']:,} bytes",
                "" if most is None else f"at most {most:,}",
                f"loaded in {1e3 * kept['seconds_to_load']:.0f} ms; accuracy "
                f"{100 * kept['accuracy']:.2f}"
                + ("; bit-identical" if kept["equal_bit_for_bit"] else ""),
            ]
        )
    served = document["tenants"]
    for n, race in served["batches"].items():
        missed = " **missed**" if race["times_faster"] < race["target"] else ""
        together = 1e3 * race["median_seconds"]["together"]
        rows.append(
            [
                f"{served['tenants']} tenants, {n} row{'s' if n != '1' else ''} each",
                f"{race['times_faster']:.1f} times faster together",
                f"at least {race['target']:g}{missed}",
                f"{together:.1f} ms for all",
            ]
        )
    peak = served["peak_bytes_of_attaching_all"]
    rows.append(
        [
            f"attaching {served['tenants']} tenants",
            f"{peak / 1e6:.1f} MB",
            "",
            f"scaffold {served['scaffold_bytes'] / 1e6:.1f} MB, shared; adapter and its gradient "
            f"{served['adapter_and_gradient_bytes'] / 1e6:.2f} MB each",
        ]
    )
    head = ["task", "result", "target", "details"]
    return f"{markdown(head, rows)}\n\n{provenance(document)}."


def seed_gating(folder: Path) -> str:
    """Return the tables of the seed-gated task: results by model and digits, and targets."""
    document = _load(folder, "mnist_seed_gating")
    columns = ["own", "wrong seed", "unseen seed", "rejected", "unseen digits rejected"]
    rows, target_rows = [], []
    for model in document["models"]:
        for task, figures in model["tasks"].items():
            cells = [
                f"{figures[c]['mean']:.2f} ± {figures[c]['spread']:.2f}" if c in figures else ""
                for c in columns
            ]
            rows.append([model["name"], ", ".join(task), f"{model['trained']:,}", *cells])
        for target in model["targets"]:
            target_rows.append(
                [
                    f"{model['name']}: {target['what']}",
                    f"{target['worst']:.1f} to {target['best']:.1f}",
                    target["paper"],
                    f"≥ {target['at_least']:g}",
                    "yes" if target["met"] else "**missed**",
                ]
            )
    head = ["model", "digits", "trained parameters", *(f"{column} %" for column in columns)]
    target_head = ["measure", "ours %, worst to best set", "paper %", "target", "met"]
    states = "1 random state" if document["seeds"] == 1 else f"{document['seeds']} random states"
    return (
        f"{markdown(head, rows)}\n\n{markdown(target_head, target_rows)}\n\n{states}; "
        f"{provenance(document)}."
    )


_MODELS = {
    "deepreservoir": "deepreservoir",
    "mlp": "scikit-learn's MLP",
    "linear": "logistic or ridge regression",
    "boosting": "histogram boosting",
}


def defaults(folder: Path) -> str:
    """Return the tables of the default estimators: scores by table, and targets."""
    document = _load(folder, "defaults")
    rows, target_rows, loss_rows = [], [], []
    for row in document["rows"]:
        cells = [f"{row['means'][m]:.3f} ± {row['spreads'][m]:.3f}" for m in _MODELS]
        rows.append([row["name"], row["role"], *cells, f"{row['ranks']['deepreservoir']:g}"])
    for role, found in document["summaries"].items():
        if found["classified"]:
            losses = [f"{found['mean_log_losses'][m]:.3f}" for m in _MODELS]
            loss_rows.append([f"{found['classified']} tables {role}", *losses])
        mean_ranks, lowest = found["mean_ranks"], found["lowest_against_linear"]
        rank_met = mean_ranks["deepreservoir"] <= found["target_rank"]
        gap_met = lowest["difference"] >= found["target_difference"]
        target_rows += [
            [
                f"mean rank, {found['tables']} tables {role}",
                f"{mean_ranks['deepreservoir']:.2f} (MLP {mean_ranks['mlp']:.2f}, linear "
                f"{mean_ranks['linear']:.2f}, boosting {mean_ranks['boosting']:.2f})",
                f"at most {found['target_rank']:g}",
                "yes" if rank_met else "**missed**",
            ],
            [
                f"lowest score against the linear model, {role}",
                f"{lowest['difference']:+.3f} ({lowest['table']})",
                f"at least {found['target_difference']:+g}",
                "yes" if gap_met else "**missed**",
            ],
        ]
    head = ["table", "role", *_MODELS.values(), "rank of deepreservoir"]
    parts = [
        markdown(head, rows),
        markdown(["measure", "result", "target", "met"], target_rows),
        markdown(["mean log loss of class probabilities", *_MODELS.values()], loss_rows),
    ]
    return (
        "\n\n".join(parts)
        + f"\n\n{document['folds']} folds, {document['repeats']} times; {provenance(document)}."
    )


def all_tables(folder: Path) -> str:
    """Return all tables with their headings."""
    parts = {
        "Defaults on small tables": defaults,
        "MNIST": mnist,
        "Sweeps": declared.tables,
        "Seed gating": seed_gating,
        "Speed": speed,
        "Memory": memory,
        "Models as files": files,
        "Echo-state networks": echo,
        "Forecasting": forecasting,
    }
    return "\n\n".join(f"## {title}\n\n{make(folder)}" for title, make in parts.items())
