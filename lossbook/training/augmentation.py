"""What is done to a training batch before the backbone sees it."""

import torch
import torch.nn.functional as F

__all__ = ["shift_randomly"]


def shift_randomly(images, max_shift, generator):
    """``images`` (N, 1, H, W), all moved by one random shift of at most ``max_shift`` pixels.

    The shift is drawn for each direction; what moves in at the border is black.
    """
    if max_shift == 0:
        return images
    down, right = torch.randint(
        0, 2 * max_shift + 1, (2,), generator=generator, device="cpu"
    ).tolist()
    height, width = images.shape[-2:]
    padded = F.pad(images, (max_shift,) * 4)
    return padded[..., down : down + height, right : right + width]
