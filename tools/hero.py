"""Draw the front page's picture: ``python -m tools.hero`` writes book/_static/hero.png.

The picture is committed, since GitHub shows it too. It takes two trainings in the quick profile.
"""

from lossbook import data, figures, heads, profiles, training
from tools.contents import ROOT

HEADS = {
    "softmax": heads.Softmax(2, 10),
    "SphereFace, m = 4": heads.SphereFace(2, 10, margin=4),
}


def main():
    quick = profiles.PROFILES["quick"]
    digits = data.load(quick.dataset)
    runs = {title: training.fit(quick.backbone(2), head, digits, **quick.recipe) for title, head in HEADS.items()}
    (ROOT / "book/_static/hero.png").write_bytes(figures.comparison(runs, view="plane")._repr_png_())


if __name__ == "__main__":
    main()
