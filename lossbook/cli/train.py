"""The commands train, evaluate and animate."""

from pathlib import Path

import numpy as np
import pandas as pd

from lossbook import data, figures, heads, training
from lossbook.cli.options import BACKBONES, resolve_training
from lossbook.metrics import scores
from lossbook.training.checkpoint import load_weights


def train(options):
    if not options.class_parallel:
        return _train(options, device=options.device)
    from lossbook.training import class_parallel  # not every build of PyTorch can do this

    with class_parallel.join_process_group(options.device) as ranks:
        _train(options, device=ranks.device, ranks=ranks)


def _train(options, device, ranks=None):
    profile, dataset, recipe = resolve_training(options)
    folder = _folder(options)
    backbone = BACKBONES[options.backbone] if options.backbone else profile.backbone
    head = heads.from_preset(options.name, options.embedding_dim, len(dataset.classes))
    run = training.fit(
        backbone(options.embedding_dim),
        head,
        dataset,
        seed=options.seed,
        device=device,
        checkpoint=folder / "checkpoint",
        ranks=ranks,
        **recipe,
    )
    if ranks and ranks.rank > 0:
        return  # the first rank writes and speaks for all
    run.config["made_by"] = {
        "preset": options.name,
        "embedding_dim": options.embedding_dim,
        "backbone": next(name for name, make in BACKBONES.items() if make == backbone),
    }
    run.save(folder / "run.npz")
    last = run.history.iloc[-1]
    print(
        f"{options.name}: {run.name} on {dataset.name}, {len(run.history)} epochs, {run.history.seconds.sum():.0f} s: "
        f"train accuracy {last.train_acc:.2%}, test accuracy {last.test_acc:.2%} (both without margin)"
    )
    print(f"saved in {folder}; next: python -m lossbook animate {options.name}")


def evaluate(options):
    run, folder = _trained(options)
    if "made_by" not in run.config:
        raise ValueError(
            f"{folder / 'run.npz'} was not written by python -m lossbook train: it does not tell its network"
        )
    made = run.config["made_by"]
    dataset = data.load(run.config["dataset"])
    backbone = BACKBONES[made["backbone"]](made["embedding_dim"])
    head = heads.from_preset(made["preset"], made["embedding_dim"], len(dataset.classes))
    if not load_weights(folder / "checkpoint", backbone, head).equals(run.history):
        raise ValueError(
            f"{folder / 'checkpoint'} is not the end of the training in {folder / 'run.npz'}: another one was "
            f"started there since; finish it with python -m lossbook train {options.name}, or give another --out"
        )
    table = {
        split: format_scores(scores.score(backbone, head, getattr(dataset, split)))
        for split in ("train", "test")
    }
    print(
        f"{options.name}: {run.name} on {dataset.name}, seed {options.seed} (no margin anywhere below)"
    )
    print(pd.DataFrame(table).to_string())


def animate(options):
    run, folder = _trained(options)
    draw = {"plane": figures.embeddings, "circle": figures.circle}[options.view]
    for split in ("train", "test"):
        figures.animate(run, split=split, view=options.view).save(folder / f"{split}.gif")
        draw(run, split=split).savefig(folder / f"{split}.png")
    print(
        "wrote "
        + ", ".join(
            str(folder / name) for name in ("train.gif", "train.png", "test.gif", "test.png")
        )
    )


def format_scores(scores):
    """What evaluate prints of one split, from :func:`lossbook.metrics.scores.score`."""
    return {
        "images": f"{scores['images']:,}",
        "accuracy by the head's rule": f"{scores['accuracy']:.2%}",
        "accuracy by angle alone": f"{scores['accuracy_by_angle']:.2%}",
        "median angle to own class vector": _degrees(scores["median_angle_own"]),
        "median angle to nearest other": _degrees(scores["median_angle_other"]),
        "mean spread within a class": _degrees(scores["within"]),
        "least angle between class means": _degrees(scores["between_min"]),
    }


def _degrees(radians):
    return f"{np.degrees(radians):.1f}°"


def _folder(options):
    return Path(options.out or Path("runs") / f"{options.name}-seed{options.seed}")


def _trained(options):
    folder = _folder(options)
    if not (folder / "run.npz").exists():
        raise FileNotFoundError(
            f"no finished training in {folder}: run python -m lossbook train {options.name} "
            "first, with the same --seed and --out"
        )
    return training.Run.load(folder / "run.npz"), folder
