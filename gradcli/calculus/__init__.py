"""Derivatives as formulas: an expression over variables without values is traced, differentiated,
rewritten, written down and checked against the engine's gradient.

Constraints: above the renderer, below the command line; nothing is returned unchecked.
"""

from gradcli.calculus.entry import differentiate
from gradcli.calculus.results import Derivative, Derivatives

__all__ = ["Derivative", "Derivatives", "differentiate"]
