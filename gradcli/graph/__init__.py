"""The graph: immutable nodes of primitive operations, and derivatives as graph to graph.

Constraints: knows no array library and no user interface; shapes, dtypes and spans only.
"""
