"""Helpers of every package: input checks, files, saved records, vectors and torchvision."""

__all__ = []
