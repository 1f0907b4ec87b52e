"""Computation graphs as drawings: boxes, arrows and where they go."""
