"""Forecasts of user-supplied series, and comparisons of forecasting methods."""
