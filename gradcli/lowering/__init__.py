"""The interpreter of the language: syntax trees become closures over tensors, and run."""
