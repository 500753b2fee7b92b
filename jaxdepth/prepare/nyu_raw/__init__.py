"""NYU Depth V2's raw recordings: their files, and a depth map for each colour picture."""
