"""Image i depends on its own seed and input alone, on every processor: not on how many others are made with it.

Equal values on one processor do not show this, since its kernels may round alike where those of another do not. So two things
are compared between n = 1, 3 and 7: the values, and the sizes that every layer and every matrix kernel worked on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganvas.abilities import (
    Encodes,
    HasLikelihood,
    Restores,
    Samples,
    Stylises,
    Tokenizes,
    Translates,
    offers,
    restore_images,
    translated_rows,
)
from ganvas.chunks import in_chunks
from ganvas.data.batch import as_image_tensor
from ganvas.data.feed import Window, examples_of
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.registry import find, method_names
from ganvas.sampling import drawing, reconstructed, sample
from ganvas.tasks.encode import decode, encode
from ganvas.tasks.translate import translate_images
from parts import data_for, small

COUNTS = (1, 3, 7)
KERNELS = ("mm", "bmm", "addmm", "addmv", "mv", "baddbmm", "convolution", "_convolution", "lstm", "gru")
AT_ONCE = 8  # for what promises nothing when called directly, but is not to mix the rows of a batch either


class Sizes(TorchDispatchMode):
    """Collects the shapes of the tensors that matrix kernels and convolutions get."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[Any, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in KERNELS:
            self.seen.add((name, *(tuple(arg.shape) for arg in args if isinstance(arg, Tensor))))
        return func(*args, **(kwargs or {}))


@contextmanager
def sizes_of(method: nn.Module) -> Iterator[set[tuple[Any, ...]]]:
    """The sizes of all that goes into leaf modules of `method` and into kernels inside of the block."""
    sizes = Sizes()

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...]) -> None:
            sizes.seen.add((name, *(len(arg) for arg in args if isinstance(arg, Tensor) and arg.ndim)))

        return hook

    leaves = [(name, module) for name, module in method.named_modules() if not list(module.children())]
    handles = [module.register_forward_pre_hook(note(name)) for name, module in leaves]
    try:
        with sizes:
            yield sizes.seen
    finally:
        for handle in handles:
            handle.remove()


def built(name: str) -> Method:
    method = small(name)
    torch.manual_seed(0)
    method.setup(data_for(name).spec)
    return method.eval().requires_grad_(False)


# --- what is asked for, each (method, n) -> n rows -----------------------------------------------------------------------


def sampled(method: Method, n: int) -> Tensor:
    return sample(method, n, seed=5)


def drawn(method: Method, n: int) -> Tensor:
    return drawing(method, n, seed=5)


def encoded(method: Method, n: int) -> Tensor:
    data = data_for(method)
    return torch.from_numpy(encode(method, data.images[:n], None if data.labels is None else data.labels[:n]))


def decoded(method: Method, n: int) -> Tensor:
    data = data_for(method)
    codes = encode(method, data.images[:7], None if data.labels is None else data.labels[:7])
    return torch.from_numpy(decode(method, codes[:n], None if data.labels is None else data.labels[:n]))


def reconstructions(method: Method, n: int) -> Tensor:
    assert isinstance(method, Tokenizes)
    return reconstructed(method, data_for(method).images[:n])


def translations(method: Method, n: int) -> Tensor:
    assert isinstance(method, Translates)
    data = data_for(method)
    if data.kind.is_parallel:
        ends = (data.examples == data.spec.text.first).argmax(1)
        rows = data.examples[ends == np.bincount(ends).argmax()][:n]
        return torch.from_numpy(translated_rows(method, rows, data.spec.text.first))
    images = data.images[:n]
    both = [translate_images(method, images, direction) for direction in method.directions()]
    return torch.from_numpy(np.stack(both, 1))


def restored(method: Method, n: int) -> Tensor:
    assert isinstance(method, Restores)
    return restore_images(method, *damaged(method, n), torch.Generator().manual_seed(0))


def restored_directly(method: Method, n: int) -> Tensor:
    assert isinstance(method, Restores)
    if method.restoration().degradation != "holes":
        pytest.skip("only holes promise it without restore_images")
    return method.restore(*damaged(method, n), generator=torch.Generator().manual_seed(0))


def damaged(method: Restores, n: int) -> tuple[Tensor, Tensor | None]:
    assert isinstance(method, Method)
    images = as_image_tensor(data_for(method).images[:n])
    if method.restoration().degradation != "holes":
        return images, None
    holes = torch.zeros(n, 1, *images.shape[2:])
    for i, hole in enumerate(holes):
        hole[:, 2 * i : 2 * i + 12, 6:18] = 1
    return images, holes


def stylised(method: Method, n: int) -> Tensor:
    assert isinstance(method, Stylises)
    random = torch.Generator().manual_seed(0)
    side = 2 * method.multiple()
    content = torch.rand(7, method.spec.channels, side, side, generator=random)[:n] * 2 - 1
    style = torch.rand(1, method.spec.channels, 21, 33, generator=random) * 2 - 1
    try:
        return in_chunks(n, lambda rows: method.stylise(content[rows], style), AT_ONCE)
    except UsageError:  # it knows one style only
        return in_chunks(n, lambda rows: method.stylise(content[rows]), AT_ONCE)


def nats(method: Method, n: int) -> Tensor:
    """With a generator per call: what is drawn goes by the place in the batch, so all is asked for in one chunk."""
    assert isinstance(method, HasLikelihood)
    batch = examples_of(data_for(method), np.arange(n), window=Window(8))

    def of_rows(rows: Tensor) -> Tensor:
        labels = None if batch.label is None else batch.label[rows]
        return method.likelihood(batch.real[rows], labels, generator=torch.Generator().manual_seed(0)).nats

    return in_chunks(n, of_rows, AT_ONCE)


ASKED: list[tuple[Callable[[Method, int], Tensor], type | tuple[type, ...] | Callable[..., Any]]] = [
    (sampled, Samples),
    (drawn, Samples.drawing),
    (encoded, (Encodes, Tokenizes)),
    (decoded, (Encodes, Tokenizes)),
    (reconstructions, Tokenizes),
    (translations, Translates),
    (restored, Restores),
    (restored_directly, Restores),
    (stylised, Stylises),
    (nats, HasLikelihood),
]


def has(name: str, ability: type | tuple[type, ...] | Callable[..., Any]) -> bool:
    return issubclass(find(name), ability) if isinstance(ability, type | tuple) else offers(find(name), ability)


CASES = [(name, make) for make, ability in ASKED for name in method_names() if has(name, ability)]


@pytest.mark.parametrize(("name", "make"), CASES, ids=lambda part: getattr(part, "__name__", part))
def test_example_i_does_not_depend_on_how_many_there_are(name: str, make: Callable[[Method, int], Tensor]) -> None:
    method = built(name)
    results, sizes = {}, {}
    for n in COUNTS:
        with sizes_of(method) as sizes[n]:
            results[n] = make(method, n)
    assert all(len(results[n]) == n for n in COUNTS)
    for n in COUNTS[:-1]:
        assert torch.equal(results[n], results[7][:n]), f"rows of {n} differ from the first of 7"
        if make is translations and data_for(method).kind.is_parallel:  # decoding ends with the longest text
            assert sizes[n] <= sizes[7]
            continue
        assert sizes[n] == sizes[7], f"{n} or 7 only: {sorted(map(str, sizes[n] ^ sizes[7]))[:6]}"
    assert sizes[7], "a network was asked"
