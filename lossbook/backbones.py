"""Backbones: small networks from a 28×28 image to an embedding.

Each maps images ``(N, 1, 28, 28)`` to embeddings ``(N, embedding_dim)``, with no activation on
the embedding: a rectified embedding could not reach every direction. The convolutional ones are
in the memory format ``channels_last``, a third faster on a CPU.
"""

import torch
from torch import nn

__all__ = ["LeNetPP", "MiniResNet18", "ConvNet", "Dense", "embed", "scale_bytes"]


class _GreyImageNetwork(nn.Sequential):
    """Layers that take grey images of certain sizes; other images are refused by name."""

    sizes = range(28, 29)  # heights and widths that the layers can take

    def forward(self, images):
        fits = images.ndim == 4 and images.shape[1] == 1
        if not fits or any(size not in self.sizes for size in images.shape[2:]):
            raise ValueError(
                f"{type(self).__name__} takes grey images (N, 1, 28, 28), got "
                f"{tuple(images.shape)}: resize them and make them grey, or use a backbone of your "
                "own"
            )
        return super().forward(images)


class LeNetPP(_GreyImageNetwork):
    """LeNet++: three stages of two convolutions and a pooling, then one linear layer.

    5×5 kernels, 32, 64 and 128 channels, PReLU after every convolution; 797,154 weights and
    biases in convolutions and the linear layer at ``embedding_dim=2``. Input 28×28.

    Source: Wen et al., "A Discriminative Feature Learning Approach", ECCV 2016, table 1.
    """

    sizes = range(24, 32)  # three poolings leave 3×3

    def __init__(
        self,
        embedding_dim,
        widths=(32, 64, 128),
        kernel_size=5,
        batch_norm=False,
        activation=nn.PReLU,
    ):
        layers, channels = [], 1
        for width in widths:
            for _ in range(2):
                layers.append(
                    nn.Conv2d(
                        channels, width, kernel_size, padding=kernel_size // 2, bias=not batch_norm
                    )
                )
                if batch_norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(activation())
                channels = width
            layers.append(nn.MaxPool2d(2))
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels * 3 * 3, embedding_dim))
        self.to(memory_format=torch.channels_last)

    @classmethod
    def small(cls, embedding_dim):
        """The quick profile's network: 3×3 kernels, 8, 16 and 32 channels, batch norm, ReLU."""
        return cls(
            embedding_dim, widths=(8, 16, 32), kernel_size=3, batch_norm=True, activation=nn.ReLU
        )


class MiniResNet18(_GreyImageNetwork):
    """Three residual stages of 32, 64 and 128 channels, pooled to one linear layer.

    A stage is a 3×3 convolution to the new width and one residual block of two 3×3
    convolutions; stages are separated by 2×2 max pooling. The second model of
    niyunsheng/Visualization-of-Face-Losses, whose name it keeps although it has 8 layers.

    Residual block: He et al., "Deep Residual Learning", CVPR 2016, figure 2.
    """

    sizes = range(4, 10**6)  # whatever two poolings leave is averaged

    def __init__(self, embedding_dim, widths=(32, 64, 128)):
        layers, channels = [], 1
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), _Residual(width), nn.MaxPool2d(2)]
            channels = width
        layers[-1] = nn.AdaptiveAvgPool2d(1)
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels, embedding_dim))
        self.to(memory_format=torch.channels_last)


class ConvNet(_GreyImageNetwork):
    """Five 3×3 convolutions, 32 to 512 channels, pooled to one linear layer.

    The Fashion-MNIST network of cvqluu/Angular-Penalty-Softmax-Losses-Pytorch, there with
    ``embedding_dim=3``. Input 28×28: the feature maps are 26, 24, 12, 10 and 8 wide.
    """

    sizes = range(28, 44)  # the last pooling leaves 1×1

    def __init__(self, embedding_dim):
        layers, channels = [], 1
        for width, padding, pool in [
            (32, 0, None),
            (64, 0, None),
            (128, 1, 2),
            (256, 0, None),
            (512, 0, 8),
        ]:
            layers += [
                nn.Conv2d(channels, width, 3, padding=padding),
                nn.ReLU(),
                nn.BatchNorm2d(width),
            ]
            if pool:
                layers.append(nn.MaxPool2d(pool))
            channels = width
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels, embedding_dim))
        self.to(memory_format=torch.channels_last)


class Dense(_GreyImageNetwork):
    """Two hidden layers of 128 units with batch normalisation and ReLU. Input 28×28.

    It trains in about a second, for experiments of many trainings.
    """

    def __init__(self, embedding_dim, width=128):
        layers, inputs = [nn.Flatten()], 28 * 28
        for _ in range(2):
            layers += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU()]
            inputs = width
        super().__init__(*layers, nn.Linear(width, embedding_dim))


class _Residual(nn.Module):
    """x + two 3×3 convolutions of x, then ReLU."""

    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(x + self.block(x))


@torch.no_grad()
def embed(backbone, images, batch_size=1000):
    """Embeddings (N, d), float32 on the CPU, of ``images`` (N, 1, H, W), in evaluation mode.

    Images are moved to the device and the precision of the backbone's parameters, if it has any,
    a batch at a time; bytes become floats as :func:`lossbook.backbones.scale_bytes` gives them.
    Every module of the backbone is then put back into the mode that it had.

    Raises ``TypeError`` if the backbone does not return a tensor, and ``ValueError`` if that has
    another shape than (N, d).
    """
    parameter = next(
        (p for p in backbone.parameters() if p.is_floating_point()), scale_bytes(images[:0])
    )
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()
    try:
        batches = images.split(batch_size)
        return torch.cat(
            [_embed_batch(backbone, scale_bytes(batch).to(parameter)) for batch in batches]
        )
    finally:
        for module, mode in modes.items():
            module.training = mode


def _embed_batch(backbone, images):
    x = backbone(images)
    if not torch.is_tensor(x):
        raise TypeError(
            f"the backbone returned a {type(x).__name__}: expected a tensor of embeddings, (N, d); "
            "return only the embeddings"
        )
    if x.ndim != 2 or len(x) != len(images):
        raise ValueError(
            f"the backbone returned {tuple(x.shape)} for images {tuple(images.shape)}: expected "
            "embeddings, (N, d); torch.nn.Flatten() as its last layer removes dimensions of size 1"
        )
    return x.float().cpu()


def scale_bytes(images):
    """``images`` as float32 in [0, 1]: bytes are divided by 255, floats returned as they are."""
    return images.float() / 255 if images.dtype == torch.uint8 else images
