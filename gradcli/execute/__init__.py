"""From graph to values: what to compute, in which order, on which backend."""
