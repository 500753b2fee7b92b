"""Protocols, metrics, scores, and the mean depth image that they are compared with."""
