"""What several commands share: options of a training, where results go."""

from lossbook import backbones, data, profiles

BACKBONES = {
    "LeNetPP": backbones.LeNetPP,
    "LeNetPP.small": backbones.LeNetPP.small,
    "MiniResNet18": backbones.MiniResNet18,
    "ConvNet": backbones.ConvNet,
}


def resolve_training(options):
    """What to train on and how: the profile, its data set or the one asked for, its recipe likewise."""
    profile = profiles.PROFILES[options.profile] if options.profile else profiles.current()
    dataset = data.load(options.dataset or profile.dataset)
    if options.classes is not None:
        dataset = dataset.first(options.classes)
    return (
        profile,
        dataset,
        {**profile.recipe, **({} if options.epochs is None else {"epochs": options.epochs})},
    )
