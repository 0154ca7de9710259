"""The commands strangers and noise: the saved experiments of a chapter each."""

from lossbook import backbones
from lossbook.data import omniglot as omniglot_data
from lossbook.experiments import label_noise, omniglot
from lossbook.utils.records import REPOSITORY_FOLDER

__all__ = ["train_strangers", "train_noise"]


def train_strangers(options):
    """Run the saved experiment of the chapter on strangers, or go on with it, and print a line a training."""
    known, unseen = omniglot.known_and_strangers(omniglot_data.omniglot(options.folder))
    record, _ = omniglot.run(
        omniglot.PLAN,
        known,
        unseen,
        options.out or REPOSITORY_FOLDER / "strangers",
        backbones.LeNetPP.small,
        made_by={"command": "python -m lossbook strangers"},
        device=options.device,
    )
    for name, cell in record["cells"].items():
        eer, low, high = cell["strangers"]["eer"]
        print(
            f"{name:40} closed {cell['accuracy']:.2%}  EER of strangers {eer:.2%} ({low:.2%} to {high:.2%})"
        )


def train_noise(options):
    """Run the saved experiment on wrong labels, or go on with it, and print a line a training."""
    record, _ = label_noise.run(
        label_noise.PLAN,
        options.out or REPOSITORY_FOLDER / "noise",
        device=options.device,
        made_by={"command": "python -m lossbook noise"},
    )
    for name, cell in record["cells"].items():
        print(f"{name:55} test accuracy {cell['test']:.2%}")
