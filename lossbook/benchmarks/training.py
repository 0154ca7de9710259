"""``python -m lossbook benchmark training``: images/s of ``fit`` and of a straightforward loop.

The straightforward loop is what a tutorial shows: a data set that shifts and converts one image at
a time, a DataLoader, single precision, the loss as it is written in the formula. Every other way
trains the same backbone and head on the same images with the same optimizer; each but the last two
changes one thing. Rounds visit all ways in turn, as in :mod:`lossbook.benchmarks.heads`; ratios
hold within one run.
"""

import itertools
import statistics
import time
from typing import NamedTuple

import pandas as pd
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lossbook import backbones, heads
from lossbook.benchmarks.timing import machine, synchronize
from lossbook.data.dataset import Dataset, Split
from lossbook.training.augmentation import shift_randomly
from lossbook.training.loop import fit
from lossbook.training.recipe import Recipe
from lossbook.utils.torchvision_compat import import_torchvision
from lossbook.utils.validation import require

__all__ = ["BACKBONES", "WAYS", "LOOP", "TENSORS", "FIT", "measure_training", "table", "setting"]


class Way(NamedTuple):
    """One way to train; the defaults are the loop over tensors that tricks are compared with."""

    loader: bool = False
    fit: bool = False
    precision: str = "float32"
    channels_last: bool = False
    compiled: bool = False
    fused: bool = False
    batch_size: int = 128


LOOP, TENSORS, FIT = "straightforward loop", "tensors instead of a DataLoader", "lossbook.fit"
WAYS = {
    LOOP: Way(loader=True),
    TENSORS: Way(),
    "… and channels_last": Way(channels_last=True),
    "… and bfloat16": Way(precision="bfloat16"),
    "… and torch.compile": Way(compiled=True),
    "… and a fused optimizer": Way(fused=True),
    "… and batches of 64": Way(batch_size=64),
    "… and batches of 256": Way(batch_size=256),
    FIT: Way(fit=True),
    f"{FIT}, bfloat16": Way(fit=True, precision="bfloat16"),
}

# (backbone, images per pass): a second or so per pass on two CPU cores.
BACKBONES = {"LeNetPP": (backbones.LeNetPP, 256), "LeNetPP.small": (backbones.LeNetPP.small, 2048)}
SHIFT = 2


class OneByOne(torch.utils.data.Dataset):
    """Images as in torchvision's data sets: each a PIL image first, shifted, then a tensor."""

    def __init__(self, images, labels):
        self.pixels, self.labels = (255 * images[:, 0]).round().byte(), labels
        transforms = import_torchvision().transforms
        self.transform = transforms.Compose(
            [transforms.RandomCrop(images.shape[-1], padding=SHIFT), transforms.ToTensor()]
        )

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.pixels[i].numpy())), int(self.labels[i])


def measure_training(
    split, rounds=7, device="cpu", ways=tuple(WAYS), sizes=None, made_by=None, progress=print
):
    """Measure all ``ways`` on each backbone; returns a record for JSON.

    In the record, ``seconds`` are those of one pass; ``first`` those of the first one, which warms
    up and, for torch.compile, compiles.

    Parameters
    ----------
    split : lossbook.data.Split
        To train on, from its start.
    rounds : int
        How often each way is timed.
    ways : sequence of str
        Names in ``WAYS``.
    sizes : dict, optional
        Backbone → images per pass, in place of those of ``BACKBONES``.

    Raises
    ------
    ValueError
        For an unknown way or too few images.
    """
    unknown = set(ways) - set(WAYS)
    require(
        not unknown and rounds >= 1,
        f"ways = {ways}, rounds = {rounds}: expected ways among {', '.join(WAYS)}, and a round",
    )
    sizes = sizes or {name: images for name, (_, images) in BACKBONES.items()}
    record = {
        "format": 1,
        "benchmark": "training",
        "rounds": rounds,
        "machine": machine(device),
        "made_by": made_by or {},
        "rows": [],
    }
    for name, images in sizes.items():
        require(
            images <= len(split),
            f"{images} images per pass, but the data set has {len(split)}",
        )
        part = Split(split.images[:images], split.labels[:images], split.classes)
        passes = {
            way: _time_passes(WAYS[way], BACKBONES[name][0], part, torch.device(device))
            for way in ways
        }
        seconds = {way: [] for way in ways}
        for _, way in itertools.product(range(rounds + 1), ways):
            seconds[way].append(next(passes[way]))
        for way in ways:
            first, *rest = seconds[way]
            row = {
                "backbone": name,
                "way": way,
                "images": images,
                "first": first,
                "seconds": rest,
                "median": statistics.median(rest),
            }
            record["rows"].append(row)
            progress(f"{name:14} {way:34} {images / row['median']:8.0f} images/s")
    return record


def _time_passes(way, backbone, split, device):
    """Yield the seconds of one pass over ``split`` after the other; the training continues."""
    torch.manual_seed(0)
    model, head = (
        backbone(2).to(device),
        heads.ArcFace(2, len(split.classes), scale=16, margin=0.3).to(device),
    )
    if way.fit:
        few = Split(split.images[:10], split.labels[:10], split.classes)
        dataset = Dataset("benchmark", split, few)
        while True:
            run = fit(
                model,
                head,
                dataset,
                epochs=1,
                batch_size=way.batch_size,
                max_shift=SHIFT,
                device=device,
                precision=way.precision,
                warm_start=True,
                snapshot_size=10,
                progress=False,
            )
            yield float(run.history.seconds.sum())
    model.to(memory_format=torch.channels_last if way.channels_last else torch.contiguous_format)
    embed = torch.compile(model) if way.compiled else model
    parameters = [*model.parameters(), *head.parameters()]
    recipe = Recipe()
    optimizer = torch.optim.AdamW(
        parameters, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=way.fused
    )
    while True:
        synchronize(parameters[0])
        start = time.perf_counter()
        for images, labels in (_load_one_by_one if way.loader else _gather_batches)(
            split, way.batch_size, device
        ):
            with torch.autocast(device.type, torch.bfloat16, enabled=way.precision == "bfloat16"):
                loss = F.cross_entropy(head(embed(images), labels), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
            optimizer.step()
            loss.item()
        synchronize(parameters[0])
        yield time.perf_counter() - start


def _load_one_by_one(split, batch_size, device):
    for images, labels in DataLoader(
        OneByOne(split.images, split.labels), batch_size, shuffle=True
    ):
        yield images.to(device), labels.to(device)


def _gather_batches(split, batch_size, device):
    random = torch.Generator().manual_seed(0)
    images, labels = split.images.to(device), split.labels.to(device)
    order = torch.randperm(len(split), generator=random).to(device)
    for batch in order.split(batch_size):
        yield shift_randomly(images[batch], SHIFT, random), labels[batch]


def table(record):
    """A DataFrame with one row per backbone and way.

    ``rate`` is in images/s, ``to_loop`` and ``to_tensors`` are its ratios to that of these two
    ways, ``first`` is in seconds.
    """
    frame = pd.DataFrame(
        [
            {
                "backbone": row["backbone"],
                "way": row["way"],
                "rate": row["images"] / row["median"],
                "first": row["first"],
            }
            for row in record["rows"]
        ]
    )
    for column, way in (("to_loop", LOOP), ("to_tensors", TENSORS)):
        frame[column] = frame.rate / frame.backbone.map(
            frame[frame.way == way].set_index("backbone").rate
        )
    return frame


def setting(record):
    """The settings of a record, as the title of its picture."""
    threads = record["machine"]["threads"]
    return f"training, {threads} thread{'s' * (threads != 1)}"
