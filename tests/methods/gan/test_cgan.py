"""cGAN: both networks are told the class, in every form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ganvas.data import DataSpec
from ganvas.data.batch import Batch
from ganvas.errors import DataError, UsageError
from ganvas.registry import create
from ganvas.sampling import sample
from parts import images, small

FORMS = [(network, join) for network in ("conv", "mlp") for join in ("concat", "projection")]
all_forms = pytest.mark.parametrize(("network", "join"), FORMS)


def built(**settings):
    method = small("cgan", **settings)
    torch.manual_seed(0)
    method.setup(images().spec)
    return method.eval()


def batch_of(labels: list[int]) -> Batch:
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(len(labels), 1, 28, 28, generator=generator) * 2 - 1
    return Batch(real, torch.tensor(labels), generator=generator)


@all_forms
def test_d_changes_with_the_class_of_the_same_image(network: str, join: str) -> None:
    method, batch = built(network=network, join=join), batch_of([0, 1, 2])
    batch.real[:] = batch.real[:1].clone()
    logits = method.discriminate(batch, batch.real)
    assert logits.shape == (3, 1)
    assert len(set(logits.flatten().tolist())) == 3
    again = method.discriminate(batch, torch.cat([batch.real, batch.real]))  # the classes are those of the batch, twice
    torch.testing.assert_close(again, logits.repeat(2, 1))


@all_forms
def test_g_changes_with_the_class_of_the_same_latent(network: str, join: str) -> None:
    method = built(network=network, join=join)
    made = [sample(method, 1, seed=5, label=label) for label in range(3)]
    assert not torch.equal(made[0], made[1]) and not torch.equal(made[1], made[2])
    assert torch.equal(made[1], sample(method, 1, seed=5, label=1))


def test_fakes_are_painted_for_the_classes_of_the_batch() -> None:
    method, batch = built(), batch_of([0, 2])
    z = batch.normal(8)
    batch.normal = lambda *shape: z  # pyright: ignore
    assert torch.equal(method.generate_for(batch), method.G(z, torch.tensor([0, 2])))
    assert not torch.equal(method.generate_for(batch), method.G(z, torch.tensor([2, 0])))


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(DataError, match="bare has no labels"):
        small("cgan").build(DataSpec("bare", 1, 28, 28, 40))
    with pytest.raises(DataError, match="one class"):
        small("cgan").build(replace(images().spec, classes=("seven",), class_counts=(36,)))


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_three_widths_or_none(name: str) -> None:
    method = create("cgan", "tiny", {"network": "mlp", "join": "concat", name: "16-32"})
    with pytest.raises(UsageError, match=f"{name} must be three widths joined by -"):
        method.build(images().spec)


def test_preset_paper_is_the_paper_s_network() -> None:
    method = create("cgan", "paper")
    assert (method.network, method.join, method.batch_size, method.z_dim) == ("mlp", "concat", 100, 100)
    assert (method.generator, method.discriminator) == ((200, 1000, 1200), (240, 50, 240))
