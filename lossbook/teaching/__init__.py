"""Teaching: assignments for a class, and checks that name a student's mistake."""

from lossbook.teaching import assign, check

__all__ = ["assign", "check"]
