"""Comparisons of adapters with fully trained networks and with control arms."""
