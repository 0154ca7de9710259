"""The commands reproduce, map and bounds."""

from pathlib import Path

import pandas as pd

from lossbook import bounds, figures
from lossbook.cli.options import resolve_training
from lossbook.experiments import reproduce, results, rows
from lossbook.experiments.scale_margin_grid import sweep
from lossbook.utils.records import REPOSITORY_FOLDER


class Disagreement(Exception):
    """A row trained again came to another accuracy than its saved result states."""


def reproduce_rows(options):
    profile, dataset, recipe = resolve_training(options)
    names = options.rows or (
        rows.all_rows(len(dataset.classes), options.embedding_dim) if options.all else []
    )
    if not names:
        raise ValueError(
            "no rows named: give some, e.g. ArcFace_v1 ArcFace_v1_s16, or --all for every preset "
            "and its twin with a feasible scale"
        )
    if options.check:
        found = [
            reproduce.check(
                name,
                dataset,
                profile.backbone,
                embedding_dim=options.embedding_dim,
                folder=options.out,
                device=options.device,
            )
            for name in names
        ]
        print(pd.DataFrame(found).to_string(index=False))
        if differing := [one.row for one in found if not one.agrees]:
            raise Disagreement(
                f"{', '.join(differing)}: trained again, the test accuracy differs by more than the spread"
            )
        return
    records = reproduce.reproduce(
        names,
        dataset,
        profile.backbone,
        embedding_dim=options.embedding_dim,
        seeds=options.seeds,
        folder=options.out or REPOSITORY_FOLDER,
        device=options.device,
        precision=options.precision,
        made_by={"command": options.line},
        **recipe,
    )
    print(
        results.table(records)[
            ["loss", "seeds", "train", "test", "test_interval", "source_test"]
        ].to_string()
    )


def draw_map(options):
    profile, dataset, recipe = resolve_training(options)
    folder = Path(options.out or REPOSITORY_FOLDER) / "maps"
    stem = folder / f"{options.loss}-{reproduce.setting_of(dataset, 2)}"
    record = sweep(
        options.loss,
        dataset,
        profile.backbone,
        stem.with_name(stem.name + ".json"),
        made_by={"command": options.line},
        device=options.device,
        **recipe,
    )
    figures.scale_margin_map(record).savefig(stem.with_name(stem.name + ".png"))
    print(f"wrote {stem}.json and {stem}.png")


def state_bounds(options):
    found = bounds.limits(options.classes, options.embedding_dim, options.posterior)
    print(
        f"{options.classes} classes in {options.embedding_dim} dimensions, posterior {options.posterior:g} at a class centre"
    )
    for name, value in list(found._asdict().items())[:-1]:
        print(
            f"  {name.replace('_', ' '):26}{'no formula known' if value is None else f'{value:.3f}'}"
            + (" radians" if value is not None and "angular" in name else "")
        )
    print(found.explanation)
