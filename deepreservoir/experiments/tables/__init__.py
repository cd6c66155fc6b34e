"""Models and minimum sufficient ranks for a user's own table."""
