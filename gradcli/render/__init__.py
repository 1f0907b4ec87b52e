"""Renderers: results, diagnostics and formulas as text. They compute nothing."""
