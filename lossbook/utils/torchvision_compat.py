"""Import torchvision beside a CPU-only torch, where the import of PyPI's build of it fails."""

import torch

__all__ = ["import_torchvision"]

MISSING_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declarations = []  # the declared schemas live as long as this list


def import_torchvision():
    """The module ``torchvision``, with ``torchvision.datasets`` and ``.transforms`` imported.

    PyPI's torchvision is linked to CUDA. Beside a CPU build of torch its compiled operators do not
    load, and its import fails because the schemas of two of them are missing. This library uses
    neither, so it is enough to declare the schemas. The import takes over a second: call this
    function where torchvision is used, not at the top of a module.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in MISSING_SCHEMAS:
            library.define(schema)
        _declarations.append(library)
        import torchvision
    import torchvision.datasets
    import torchvision.transforms

    return torchvision
