"""Import torchvision beside a CPU-only torch, where PyPI's build of it fails."""

import torch

__all__ = ["import_torchvision"]

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared = []  # the declarations live as long as this list


def import_torchvision():
    """Return the module ``torchvision``, with ``torchvision.datasets`` and ``torchvision.transforms`` loaded.

    PyPI's torchvision is linked to CUDA. Beside a CPU build of torch its compiled operators do not
    load, and its import fails for want of two schemas. Nothing here uses these operators, so the
    schemas alone are enough. The import takes over a second: call this where torchvision is used.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in SCHEMAS:
            library.define(schema)
        _declared.append(library)
        import torchvision
    import torchvision.datasets
    import torchvision.transforms

    return torchvision
