"""Models as files: a seed, what was trained, and nothing that runs when it is read."""
