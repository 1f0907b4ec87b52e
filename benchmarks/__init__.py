"""Benchmarks: gradcli beside the libraries that people use instead, one command."""
