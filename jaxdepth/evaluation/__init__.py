"""Protocols, metrics and scores."""
