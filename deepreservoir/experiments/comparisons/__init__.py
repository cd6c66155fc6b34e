"""Comparisons of adapters with fully trained networks and with controls."""
