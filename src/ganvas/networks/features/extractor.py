"""Opening feature networks by name, and FeatureExtractor, by which methods and metrics use one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ganvas.errors import GanvasError, MissingExtra
from ganvas.files import sha256 as hash_of
from ganvas.networks.features import digits, efficientnet, mobilenet, vgg
from ganvas.networks.features.catalog import EFFICIENTNET, MOBILENET, WeightsFile, find_entry
from ganvas.networks.features.network import ChannelByChannel, FeatureNetwork, Features
from ganvas.networks.features.weights import State, find_weights, networks_at_hand, read_weights
from ganvas.networks.resample import enlarged

DISC_SIZE = (
    96  # pixels that small images are enlarged to for a discriminator, or deep layers would have hardly any positions
)


class FeatureExtractor:
    """Features of images (N, C, H, W) in [-1, 1] from some layers of a frozen network.

    No nn.Module: a method can hold it as an attribute, and its weights, which are the same in every run, are neither trained nor
    saved with the method's. `network` is a name of the catalogue, or a network that is open already.

    `enlarge_to`: smaller images are enlarged by whole times first, up to that many pixels of their longer side.
    `otherwise` ends the GanvasError of missing weights: what the user can do without this network.
    """

    def __init__(
        self,
        network: str | FeatureNetwork,
        layers: Sequence[str],
        *,
        device: torch.device | str | None = None,
        enlarge_to: int = 0,
        otherwise: str = "",
    ) -> None:
        self.layers, self.enlarge_to = tuple(layers), enlarge_to
        if isinstance(network, str):
            network = _open_or_advise(network, self.layers, otherwise)
        if device is not None:
            network = network.to(device)
        self.network = network

    @property
    def name(self) -> str:
        """Of the network."""
        return self.network.name

    @property
    def sha256(self) -> str:
        """Of the network's weights."""
        return self.network.sha256

    def __call__(self, x: Tensor, layers: Iterable[str] | None = None) -> Features:
        """(N, K, h, w) by the name of the layer, in the network's order; of `layers` alone, where some are named."""
        times = max(1, self.enlarge_to // max(x.shape[2:]))
        if times > 1:
            with torch.autocast(x.device.type, enabled=False):  # bfloat16 has too few digits for a colour
                x = enlarged(x.float(), times)
        if layers is None:
            layers = self.layers
        return self.network(x, layers)

    def maps(self, x: Tensor) -> list[Tensor]:
        """One (N, K, h, w) per layer, in the network's order."""
        return list(self(x).values())


def discriminator_extractor(name: str, device: torch.device, otherwise: str) -> FeatureExtractor:
    """What a discriminator sees by the network `name`; GanvasError where the weights are missing ends with `otherwise`."""
    layers = find_entry(name).disc_layers
    return FeatureExtractor(name, layers, device=device, enlarge_to=DISC_SIZE, otherwise=otherwise)


# --- opening ------------------------------------------------------------------------------------------------------------------


def open_network(
    name: str = "auto",
    path: Path | str | None = None,
    *,
    pool: str = "max",
    wanted: Iterable[str] | None = None,
    download: bool = True,
) -> FeatureNetwork:
    """A feature network by name, its weights read, frozen, cut after the last of the layers `wanted` (where given).

    "auto": see `choose_network`. `path` names a weights file: its keys must be the network's own, its SHA-256 may be any. `pool`
    (max or average) is VGG's. GanvasError where no weights are found: it says what to do.
    """
    if name == "auto":
        name = choose_network(download)
    weights = find_entry(name).weights
    if weights is None:
        state, sha256 = digits.digit_network().state_dict(), str(digits.digit_network_card()["sha256"])
    elif path is not None:
        file = Path(path).expanduser()
        state, sha256 = read_weights(file, weights), hash_of(file)
    else:
        state, sha256 = read_weights(_find(name, weights, download), weights), weights.sha256
    network = build_network(name, pool=pool, state=state, sha256=sha256)
    if wanted is None:
        return network
    return network.cut(wanted)


def build_network(name: str, *, pool: str = "max", state: State | None = None, sha256: str = "") -> FeatureNetwork:
    """The network with the weights `state`, or with random ones: of the right shape, for timing and for weights that follow."""
    entry = find_entry(name)
    kind = ChannelByChannel if name == "digits" else FeatureNetwork
    with torch.random.fork_rng(devices=[]):  # first weights are drawn at random: no training should notice
        try:
            network = kind(name, _layers(name, state, pool), entry.normalisation, sha256=sha256)
        except RuntimeError as error:
            title = entry.weights.title if entry.weights else name
            raise GanvasError(f"these are not the weights of {title}: {str(error).splitlines()[-1].strip()}") from None
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def choose_network(download: bool = True) -> str:
    """The name of the best feature network whose weights lie on this machine; where none do, the smallest that can be downloaded.

    MissingExtra where there is none: it names the extra that brings one.
    """
    stored = next(networks_at_hand(), None)
    if stored is not None:
        return stored
    try:
        find_weights(MOBILENET, download=download)
    except GanvasError:
        raise MissingExtra(
            f"a network trained on photos is needed, and none is on this machine: {EFFICIENTNET.install}"
        ) from None
    return "mobilenet_v2"


def _layers(name: str, state: State | None, pool: str) -> Iterator[tuple[str, nn.Module]]:
    if name == "vgg19":
        return vgg.chain(vgg.VGG19_DEPTHS, state, pool)
    if name == "vgg16":
        return vgg.chain(vgg.VGG16_DEPTHS, state, pool)
    if name == "vgg16_bn":
        return vgg.chain_with_norm(state, pool)
    chains = {"mobilenet_v2": mobilenet.chain, "efficientnet_lite0": efficientnet.chain, "digits": digits.chain}
    return chains[name](state)


def _find(name: str, weights: WeightsFile, download: bool) -> Path:
    """The weights file of a network; where it is missing the message names the networks whose files are here."""
    try:
        return find_weights(weights, download=download)
    except GanvasError as error:
        others = [other for other in networks_at_hand() if other != name]
        ready = ""
        if others:
            ready = f" Ready on this machine: {', '.join(others)}."
        raise GanvasError(f"{str(error).rstrip('.')}.{ready}") from None


def _open_or_advise(name: str, layers: Iterable[str], otherwise: str) -> FeatureNetwork:
    try:
        return open_network(name, wanted=layers)
    except GanvasError as error:
        if not otherwise:
            raise
        raise GanvasError(f"{str(error).rstrip('.')}. {otherwise}") from None
