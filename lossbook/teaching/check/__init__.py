"""Checks for students: each compares an attempt with the right answer and names the mistake."""

from lossbook.teaching.check.judge_head import head
from lossbook.teaching.check.judge_loss import loss
from lossbook.teaching.check.judge_margin import margin
from lossbook.teaching.check.judge_value import value
from lossbook.teaching.check.verdict import Verdict

__all__ = ["head", "loss", "margin", "value", "Verdict"]
