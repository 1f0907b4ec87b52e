"""All tables of rules, filled: what has to be imported before a graph is rewritten."""

from __future__ import annotations

from gradcli.rewrite import axes as axes
from gradcli.rewrite import cancelled as cancelled
from gradcli.rewrite import choices as choices
from gradcli.rewrite import convolutions as convolutions
from gradcli.rewrite import exponentials as exponentials
from gradcli.rewrite import indices as indices
from gradcli.rewrite import matrices as matrices
from gradcli.rewrite import pools as pools
from gradcli.rewrite import rolls as rolls
from gradcli.rewrite import selections as selections
from gradcli.rewrite import slid as slid
from gradcli.rewrite import sums as sums
