"""What is made of many runs: sweeps, comparisons, the paper's tables."""
