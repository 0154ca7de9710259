"""Accuracy against the scale, read from the saved experiments."""

from lossbook.experiments import omniglot, scale_margin_grid, scales


def test_digits_are_the_grids_cells_without_and_with_the_margin():
    frame = scales.digits()
    cells = scale_margin_grid.load("ArcFace")["cells"]
    training = frame[(frame.loss == "ArcFace, m = 0.3") & (frame.scale == 16) & (frame.seed == 0)]
    assert training.accuracy.tolist() == [100 * cells["s16-m0.3-seed0"]["accuracy"]]
    assert set(frame[frame.fixed].scale) == set(scale_margin_grid.SCALES)


def test_characters_are_in_64_dimensions_with_all_classes():
    frame = scales.characters()
    record, _ = omniglot.load()
    cell = record["cells"]["norm-softmax_s16-64d-136c-seed1"]
    training = frame[(frame.loss == "norm-softmax") & (frame.scale == 16) & (frame.seed == 1)]
    assert training.accuracy.tolist() == [100 * cell["accuracy"]]
    assert training.eer.tolist() == [100 * cell["strangers"]["eer"][0]]
    assert set(frame[frame.fixed].scale) == set(omniglot.SCALES)
    assert set(frame.loss) == set(scales.LOSSES.values())
