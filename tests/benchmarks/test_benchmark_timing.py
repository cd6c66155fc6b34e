"""Races: who runs when, what is counted, and how medians and ratios are taken."""

from statistics import median

import pytest
from benchmark_tools import imported

timing = imported("timing")


class Clock:
    """Time that passes only while somebody runs or sleeps."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.calls.append("pause")

    def contender(self, name, *durations):
        """Return a contender that takes these times in turn, the last for ever."""
        left = list(durations)

        def run():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_contenders_run_in_turn_after_one_warm_up_each(clock):
    contenders = {name: clock.contender(name, 1.0) for name in "abc"}
    timing.race(contenders, 2)
    runs = [name for name in clock.calls if name != "pause"]
    assert runs == list("abc") * 3


def test_every_run_that_counts_comes_after_a_pause(clock):
    timing.race({name: clock.contender(name, 1.0) for name in "ab"}, 2)
    assert clock.calls == ["a", "b", *["pause", "a", "pause", "b"] * 2]


def test_a_short_run_is_preceded_by_one_that_does_not_count(clock):
    contenders = {"long": clock.contender("long", 2.0), "short": clock.contender("short", 0.1)}
    timing.race(contenders, 2)
    round_ = ["pause", "long", "pause", "short", "short"]
    assert clock.calls == ["long", "short", *round_ * 2]


def test_only_the_counted_runs_are_in_the_seconds_and_no_pause(clock):
    # Warm-up, then (uncounted, counted) twice, for one that is short.
    short = clock.contender("short", 0.4, 0.3, 0.01, 0.2, 0.02)
    long = clock.contender("long", 9.0, 1.0, 3.0)
    seconds = timing.race({"short": short, "long": long}, 2)
    assert seconds["short"] == pytest.approx([0.01, 0.02])
    assert seconds["long"] == pytest.approx([1.0, 3.0])


@pytest.mark.parametrize("rounds", [1, 4])
def test_there_is_one_figure_a_round(clock, rounds):
    seconds = timing.race({name: clock.contender(name, 0.1) for name in "ab"}, rounds)
    assert {name: len(times) for name, times in seconds.items()} == {"a": rounds, "b": rounds}


def test_medians_are_of_each_contender():
    seconds = {"a": [3.0, 1.0, 2.0], "b": [4.0, 1.0]}
    assert timing.medians(seconds) == {"a": 2.0, "b": 2.5}


def test_the_ratio_is_taken_round_by_round():
    # A machine that slows down by the round: the ratio of medians would be 20 / 10 too, but
    # not with one round of each out of step.
    seconds = {"slow": [2.0, 40.0, 30.0], "fast": [1.0, 10.0, 30.0]}
    assert timing.ratio(seconds, "slow", "fast") == 2.0
    assert median(seconds["slow"]) / median(seconds["fast"]) != 2.0


def test_a_ratio_of_unequal_rounds_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        timing.ratio({"slow": [1.0, 2.0], "fast": [1.0]}, "slow", "fast")
