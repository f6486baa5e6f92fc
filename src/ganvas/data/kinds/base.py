"""What the rest of ganvas asks of a kind of data: how examples are fed, described, shown and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, Protocol, TypeVar, Unpack

import numpy as np

from ganvas.data.settings import DataSettings
from ganvas.data.spec import UNIT_OF_KIND, Card, DataSpec, Facts, Window
from ganvas.errors import DataError
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

Sample = TypeVar("Sample")
"""One finished sample: an image or a clip as an array, or a text."""
Samples = TypeVar("Samples")
"""Several of them: an array, or a list of texts."""


class Split(Protocol):
    """One split of a data set, as far as a kind looks at it (see Dataset)."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def spec(self) -> DataSpec: ...
    @property
    def examples(self) -> np.ndarray: ...
    @property
    def labels(self) -> np.ndarray | None: ...
    @property
    def partners(self) -> np.ndarray | None: ...
    @property
    def settings(self) -> DataSettings: ...
    @property
    def facts(self) -> Facts: ...
    def part(self, split: str) -> Split | None: ...


class Coded(NamedTuple):
    """A split in numbers: what a Dataset is made of. `digest` identifies the content, `facts` go onto the data card."""

    spec: DataSpec
    examples: np.ndarray
    digest: str
    facts: Facts
    partners: np.ndarray | None = None


class Kind(ABC, Generic[Sample, Samples]):
    """One kind of data. `KINDS[spec.kind]` is the object to ask; it holds no state. `Sample` and `Samples` are the types of one
    finished sample and of several.

    To add a kind: a file beside this one, a line in KINDS, a line in UNITS (spec.py), and what reads its files.
    """

    name: ClassVar[str]
    """The value of DataSpec.kind."""
    samples: ClassVar[str]
    """What a method of this kind generates, in the plural: "images", "clips", "texts"."""
    suffix: ClassVar[str]
    """Ending of a file that holds one sample."""
    formats: ClassVar[tuple[str, ...]] = ()
    """Other kinds of file that a sample can be written to, by name, besides the one of `suffix`."""
    moves: ClassVar[bool] = False
    """A sample is a film: `film` shows many at once."""
    settings: ClassVar[tuple[str, ...]]
    """Data settings that mean something for this kind only."""
    wanted: ClassVar[Mapping[str, object]] = MappingProxyType({})
    """Data settings that make data of this kind of a source that could be several, and others whose default is another for this
    kind: a method that learns from no other kind sets them."""
    is_image: ClassVar[bool] = False
    """An example is an image: a feature network can measure it, and an image grid shows all there is to it."""
    is_solid: ClassVar[bool] = False
    """An example is a body in space, with a surface that can be measured."""
    is_parallel: ClassVar[bool] = False
    """An example is a sentence, and its partner the translation."""
    has_example_grid: ClassVar[bool] = True
    """Examples can be shown as small images."""
    hub_task: ClassVar[str] = ""
    """What generating it is called on the Hugging Face hub; "" where that has no name for it."""

    @property
    def unit(self) -> str:
        """What is counted: "images", "clips", "tokens"."""
        return UNIT_OF_KIND[self.name]

    # --- settings ---------------------------------------------------------------------------------------------

    def check_settings(self, settings: DataSettings) -> None:
        """UsageError where settings of this kind contradict each other."""
        return

    def shown_settings(self, names: Sequence[str], foreign: frozenset[str]) -> list[str]:
        """Which of the data settings `names` say something about data of this kind; `foreign` are those of other kinds."""
        return [name for name in names if name not in foreign]

    @abstractmethod
    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        """Settings that open other data in the shape of `spec`, without partners; `settings` opened the first data."""

    # --- from a pack to a training ------------------------------------------------------------------------------

    def unpacked(self, images: np.ndarray, spec: DataSpec, facts: Facts) -> tuple[np.ndarray, DataSpec]:
        """The examples in what a pack holds, uint8 (N, H, W, C), and their spec; `spec` describes them as images."""
        return images, spec

    def recoded(self, data: Split, spec: DataSpec) -> dict[str, Coded] | None:
        """Every split of `data` in the code of `spec`, such as its vocabulary; None where they are in it already."""
        return None

    @abstractmethod
    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        """Endless batches; see `make_feed`."""

    @abstractmethod
    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        """The examples `rows` (n,) of a split as one batch; see `examples_of`."""

    def count(self, data: Split, window: Window) -> int:
        """How many examples `batch` can give."""
        return len(data.examples)

    # --- what a step costs --------------------------------------------------------------------------------------

    less: ClassVar[str] = "a smaller data.size"
    """What takes less memory, beside a smaller batch, in words."""

    def places(self, spec: DataSpec, window: int) -> int:
        """Of one example in a batch: the number that the cost of a step is in proportion to."""
        return spec.height * spec.width

    def small(self, spec: DataSpec) -> DataSpec:
        """Data like these of a size at which a step is counted quickly; `noise` makes them."""
        return spec

    @abstractmethod
    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        """Random examples of this shape, `spec.count` of them, as a data set holds them."""

    def noise_partners(self, examples: np.ndarray) -> np.ndarray:
        """Partners of what `noise` made."""
        return 255 - examples

    def examples_in_words(self, spec: DataSpec) -> str:
        """ "images of 32x48" """
        return f"{self.name} of {spec.height}x{spec.width}"

    # --- the data card ------------------------------------------------------------------------------------------

    def card(self, splits: Mapping[str, Split], data: Split) -> Card:
        """What the data card says of this kind only; `data` is the split that was asked for."""
        return {}

    @abstractmethod
    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        """The rows of `ganvas data`, by name, without source and settings; `number` formats a figure."""

    def excerpt(self, card: Card) -> list[str]:
        """Lines of the data themselves, to be shown below those rows."""
        return []

    def size(self, spec: DataSpec) -> str:
        """The size of one example in words, where it is not obvious; else ""."""
        return ""

    # --- to be looked at ----------------------------------------------------------------------------------------

    def tile(self, data: Split, index: int, gap: int) -> np.ndarray:
        """Example `index` on a grid of examples, (H, W, C) uint8; `gap` pixels lie between it and its partner."""
        raise DataError(f"{data.name} holds {self.name}, and a grid is of images")

    @abstractmethod
    def finished(self, samples: Tensor, spec: DataSpec) -> Samples:
        """What a method generated, in its final form: images uint8 (n, H, W, C), clips int16 (n, L), or a list of texts."""

    def shown(self, samples: Samples) -> np.ndarray:
        """Each finished sample as an image to look at, (n, H, W, C) uint8."""
        raise DataError(f"{self.samples} cannot be looked at")

    @abstractmethod
    def image_grid(self, samples: Samples, spec: DataSpec) -> np.ndarray | None:
        """All finished samples in one image (H, W, C) uint8, or None where they cannot be seen."""

    def film(self, samples: Samples) -> np.ndarray:
        """All finished samples in one film, (T, H, W, C) uint8, where they move or can be turned."""
        raise DataError(f"{self.samples} do not move, so there is no film of them")

    @abstractmethod
    def tile_size(self, spec: DataSpec) -> tuple[int, int]:
        """(height, width) of one sample in the image grid."""

    is_compared: ClassVar[bool] = False
    """`as_images` is defined: samples and data can be compared as images."""

    def as_images(self, values: Tensor) -> Tensor:
        """Examples or samples as a batch holds them, as images (n, C, H, W) in [-1, 1], in which repetition and variety are
        measured. They are not for the eye: channels may be depths or frames."""
        raise DataError(f"{self.samples} are not compared as images")

    def text(self, samples: Samples) -> str | None:
        """A sample to be read on a terminal, or None."""
        return None

    # --- files --------------------------------------------------------------------------------------------------

    def suffix_of(self, form: str | None) -> str:
        """The ending of a file in one of `formats`; None: of the usual one."""
        return self.suffix if form is None else f".{form}"

    @abstractmethod
    def write(self, path: Path, sample: Sample, spec: DataSpec, provenance: Provenance | None = None) -> None:
        """One finished sample into a file that ends in `suffix`, with `provenance` where the format has a place for it."""

    def write_joined(self, stem: Path, samples: Samples, spec: DataSpec, provenance: Provenance | None = None) -> None:
        """The first samples in one file, `stem` + `suffix`, to listen to or to read; nothing where the image grid shows them."""
        return

    @abstractmethod
    def arrays(self, samples: Samples, spec: DataSpec) -> dict[str, np.ndarray]:
        """All finished samples as the arrays of an .npz, by name."""
