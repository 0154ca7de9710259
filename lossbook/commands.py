"""What each command of the command line does; the words it understands are in ``__main__``.

A training lives in one folder, ``runs/NAME-seedS`` unless ``--out`` says otherwise:
``checkpoint`` (weights; training goes on from it), ``run.npz`` (what figures read) and, after
``animate``, its pictures. Rows of the results page and maps go to ``book/results``.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from . import (assign, backbones, benchmark, bounds, building, data, figures, heads, pace, profiles, reproduce, results, rows,
               training)
from .checkpoints import load_weights
from .sweep import sweep

BACKBONES = {
    "LeNetPP": backbones.LeNetPP, "LeNetPP.small": backbones.LeNetPP.small,
    "MiniResNet18": backbones.MiniResNet18, "ConvNet": backbones.ConvNet,
}


RESULTS = Path("book/results")      # in the repository; never where an installed package keeps the book's own


class Disagreement(Exception):
    """A row trained again came to another accuracy than its saved result states."""


def train(options):
    if not options.class_parallel:
        return _train(options, device=options.device)
    from . import parallel          # not every build of PyTorch can do this
    with parallel.ranks(options.device) as ranks:
        _train(options, device=ranks.device, ranks=ranks)


def _train(options, device, ranks=None):
    profile, dataset, recipe = _asked(options)
    folder = _folder(options)
    backbone = BACKBONES[options.backbone] if options.backbone else profile.backbone
    head = heads.from_preset(options.name, options.embedding_dim, len(dataset.classes))
    run = training.fit(backbone(options.embedding_dim), head, dataset, seed=options.seed, device=device,
                       checkpoint=folder / "checkpoint", ranks=ranks, **recipe)
    if ranks and ranks.rank > 0:
        return                      # the first rank writes and speaks for all
    run.config["made_by"] = {"preset": options.name, "embedding_dim": options.embedding_dim,
                             "backbone": next(name for name, make in BACKBONES.items() if make == backbone)}
    run.save(folder / "run.npz")
    last = run.history.iloc[-1]
    print(f"{options.name}: {run.name} on {dataset.name}, {len(run.history)} epochs, {run.history.seconds.sum():.0f} s: "
          f"train accuracy {last.train_acc:.2%}, test accuracy {last.test_acc:.2%} (both without margin)")
    print(f"saved in {folder}; next: python -m lossbook animate {options.name}")


def evaluate(options):
    run, folder = _trained(options)
    if "made_by" not in run.config:
        raise ValueError(f"{folder / 'run.npz'} was not written by python -m lossbook train: it does not tell its network")
    made = run.config["made_by"]
    dataset = data.load(run.config["dataset"])
    backbone = BACKBONES[made["backbone"]](made["embedding_dim"])
    head = heads.from_preset(made["preset"], made["embedding_dim"], len(dataset.classes))
    if not load_weights(folder / "checkpoint", backbone, head).equals(run.history):
        raise ValueError(f"{folder / 'checkpoint'} is not the end of the training in {folder / 'run.npz'}: another one was "
                         f"started there since; finish it with python -m lossbook train {options.name}, or give another --out")
    table = {split: _in_words(results.score(backbone, head, getattr(dataset, split))) for split in ("train", "test")}
    print(f"{options.name}: {run.name} on {dataset.name}, seed {options.seed} (no margin anywhere below)")
    print(pd.DataFrame(table).to_string())


def animate(options):
    run, folder = _trained(options)
    draw = {"plane": figures.embeddings, "circle": figures.circle}[options.view]
    for split in ("train", "test"):
        figures.animate(run, split=split, view=options.view).save(folder / f"{split}.gif")
        draw(run, split=split).savefig(folder / f"{split}.png")
    print("wrote " + ", ".join(str(folder / name) for name in ("train.gif", "train.png", "test.gif", "test.png")))


def reproduce_rows(options):
    profile, dataset, recipe = _asked(options)
    names = options.rows or (rows.everything(len(dataset.classes), options.embedding_dim) if options.all else [])
    if not names:
        raise ValueError("no rows named: give some, e.g. ArcFace_v1 ArcFace_v1_s16, or --all for every preset "
                         "and its twin with a feasible scale")
    if options.check:
        found = [reproduce.check(name, dataset, profile.backbone, embedding_dim=options.embedding_dim,
                                 folder=options.out, device=options.device) for name in names]
        print(pd.DataFrame(found).to_string(index=False))
        if differing := [one.row for one in found if not one.agrees]:
            raise Disagreement(f"{', '.join(differing)}: trained again, the test accuracy differs by more than the spread")
        return
    records = reproduce.reproduce(names, dataset, profile.backbone, embedding_dim=options.embedding_dim,
                                  seeds=options.seeds, folder=options.out or RESULTS, device=options.device,
                                  precision=options.precision, made_by={"command": options.line}, **recipe)
    print(results.table(records)[["loss", "seeds", "train", "test", "test_interval", "source_test"]].to_string())


def draw_map(options):
    profile, dataset, recipe = _asked(options)
    folder = Path(options.out or RESULTS) / "maps"
    stem = folder / f"{options.loss}-{reproduce.setting_of(dataset, 2)}"
    record = sweep(options.loss, dataset, profile.backbone, stem.with_name(stem.name + ".json"),
                   made_by={"command": options.line}, device=options.device, **recipe)
    figures.scale_margin_map(record).savefig(stem.with_name(stem.name + ".png"))
    print(f"wrote {stem}.json and {stem}.png")


def state_bounds(options):
    found = bounds.limits(options.classes, options.embedding_dim, options.posterior)
    print(f"{options.classes} classes in {options.embedding_dim} dimensions, posterior {options.posterior:g} at a class centre")
    for name, value in list(found._asdict().items())[:-1]:
        print(f"  {name.replace('_', ' '):26}{'no formula known' if value is None else f'{value:.3f}'}"
              + (" radians" if value is not None and "angular" in name else ""))
    print(found.explanation)


def assign_chapter(options):
    for path in assign.release(options.chapter, options.out, options.seed, options.points, options.solutions):
        print(path)


def benchmark_heads(options):
    device = options.device or "cpu"
    record = benchmark.heads(options.classes, options.rounds if options.times else 0, device, peers=options.peers,
                             only=options.only, memory=options.memory, made_by={"command": options.line})
    print(benchmark.table(record).round(3).to_string(index=False))
    for C in options.classes:
        products, moved = benchmark.estimate(record, C)
        print(f"{C:,} classes: the three products take {1e3 * products:.1f} ms at the measured rate, memory {1e3 * moved:.1f} ms")
    _keep(record, options, f"heads-{device}", figures.head_costs)


def benchmark_training(options):
    device = options.device or "cpu"
    record = pace.training(data.load(options.dataset).train, options.rounds, device, made_by={"command": options.line})
    print(pace.table(record).round(2).to_string(index=False))
    _keep(record, options, f"training-{device}", figures.training_rates)


def benchmark_book(options):
    record = building.book(options.rounds, made_by={"command": options.line})
    print(building.table(record).round(1).to_string())
    _keep(record, options, "book-cpu", figures.build_times)


def _keep(record, options, name, draw):
    """Save a benchmark's record and its picture where --out says, else among the results."""
    path = Path(options.out or RESULTS / "benchmarks" / f"{name}.json")
    benchmark.save(record, path)
    draw(record).savefig(path.with_suffix(".png"))
    print(f"wrote {path} and {path.with_suffix('.png')}")


def _asked(options):
    """What to train on and how: the profile, its data set or the one asked for, its recipe likewise."""
    profile = profiles.PROFILES[options.profile] if options.profile else profiles.current()
    dataset = data.load(options.dataset or profile.dataset)
    if options.classes is not None:
        dataset = dataset.first(options.classes)
    return profile, dataset, {**profile.recipe, **({} if options.epochs is None else {"epochs": options.epochs})}


def _in_words(scores):
    """What evaluate prints of one split, from :func:`lossbook.results.score`."""
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
        raise FileNotFoundError(f"no finished training in {folder}: run python -m lossbook train {options.name} "
                                "first, with the same --seed and --out")
    return training.Run.load(folder / "run.npz"), folder
