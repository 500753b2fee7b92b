"""What a workdir holds."""
