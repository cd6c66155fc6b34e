"""What a network reads, a batch at a time."""
