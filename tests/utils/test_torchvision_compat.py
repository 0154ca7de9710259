"""torchvision is imported with its data sets, whatever build of torch is installed."""

from lossbook.utils.torchvision_compat import import_torchvision


def test_torchvision_is_imported_with_its_data_sets():
    torchvision = import_torchvision()
    assert torchvision is import_torchvision()
    assert torchvision.datasets.MNIST and torchvision.transforms.ToTensor
