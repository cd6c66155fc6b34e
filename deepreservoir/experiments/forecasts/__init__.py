"""Forecasts of a series of one's own, and comparisons of forecasters."""
