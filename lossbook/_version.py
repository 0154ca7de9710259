"""The version of this release, and of the tag that marks it."""

__version__ = "0.1.0"
