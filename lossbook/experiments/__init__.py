"""Experiments: what makes the saved results of the book."""
