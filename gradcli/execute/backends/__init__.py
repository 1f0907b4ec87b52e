"""Backends: how each library executes the ops, as a table of names and a few overrides."""
