"""How pictures and clips become depth, and depth becomes files."""
