"""The convolutions of VGG-19, under torchvision's names: what perceptual losses compare pictures by."""

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's sRGB, in which it was trained
CONVOLUTIONS = (2, 2, 4, 4, 4)  # a stage, each of which ends in a pooling
WIDTHS = (64, 128, 256, 512, 512)


class Vgg19Features(nn.Module):
    """Pictures to the response of conv5_4, before its rectifier (ESRGAN's choice; SRGAN's "VGG5,4" is after it).

    Args:
        widths: channels of the five stages; others than VGG-19's are for tests.
    Source:
        Simonyan and Zisserman 2015, arXiv:1409.1556, Table 1, column E; torchvision's `vgg19().features` for the
        layers' numbers.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, count in zip(widths, CONVOLUTIONS, strict=True):
            for _ in range(count):
                layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers[:-2])  # without the last rectifier and pooling
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        """[N, 3, H, W] sRGB in 0…1, H and W at least 16, to [N, widths[-1], H/16, W/16]."""
        return self.features((picture - self.mean) / self.deviation)  # type: ignore[no-any-return]
