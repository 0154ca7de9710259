"""How tests read what an interactive figure holds."""

import base64
import json
import re

import numpy as np

__all__ = ["decode", "read_data"]


def read_data(widget):
    """The JSON that the script of a widget starts from."""
    return json.loads(re.search(r"^const data = (.*);$", widget.html, re.M)[1])


def decode(text, dtype):
    """The integers of an array in base64."""
    return np.frombuffer(base64.b64decode(text), dtype).astype(int)
