"""Depth as files and pictures."""
