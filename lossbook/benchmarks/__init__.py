"""Benchmarks: time and memory of heads and of training."""
