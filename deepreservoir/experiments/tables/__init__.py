"""Models and minimum sufficient ranks of a table of one's own."""
