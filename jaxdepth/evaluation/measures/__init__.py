"""Measures that experts read beyond the standard metrics: each is a function of a ScoredFrame, in float64 numpy."""
