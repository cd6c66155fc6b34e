"""The paper's tasks and the speed races: ``python -m benchmarks``."""
