"""Benchmarks: the paper's tasks, speed and memory: ``python -m benchmarks``."""
