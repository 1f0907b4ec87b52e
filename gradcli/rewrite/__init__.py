"""Graphs rewritten into the form that a person would write: graph to graph, by a table of rules.

Constraints: above the op table, knows no array library and no text; each rule looks at nodes whose
inputs are rewritten already and keeps the value up to rounding (at singular points, where a
derivative rule answers by a convention, the formula holds around them).
"""
