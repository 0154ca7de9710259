"""Shared by all tests: the same hypothesis examples everywhere, and no time limit on one example."""

import torch
from hypothesis import settings

settings.register_profile("lossbook", deadline=None, derandomize=True)
settings.load_profile("lossbook")

torch.set_num_threads(1)     # tests run on several processes; threads on top would fight for the cores
