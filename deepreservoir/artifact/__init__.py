"""Saving models as files: seeds and trained parameters, and no code that reading would run."""
