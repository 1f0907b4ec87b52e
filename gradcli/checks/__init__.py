"""Derivatives held against differences of the function, and against a formula written by hand."""
