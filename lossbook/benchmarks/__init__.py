"""Benchmarks: time and memory of heads and of training."""

from lossbook.benchmarks import contestants, heads, timing, training

__all__ = ["contestants", "heads", "timing", "training"]
