"""What sets LAPGAN apart: a GAN a level, each on real coarse images, trained together or in turn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.data import DataSpec
from ganvas.data.batch import Batch
from ganvas.errors import DataError
from ganvas.methods.gan.lapgan import LAPGAN
from ganvas.networks.pyramid import downsampled, up
from ganvas.registry import create
from ganvas.sampling import sample
from parts import Crash, CrashAfterSaving, assert_same, images, newest_state, small, train_small, trainer_for


def built(**settings):
    method = small("lapgan", **settings)
    torch.manual_seed(0)
    method.setup(images().spec)
    return method


def batch_of(n: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 28, 28, generator=generator) * 2 - 1, generator=generator)


@pytest.mark.parametrize(
    ("size", "coarsest", "expected"),
    [
        ((64, 64), 8, [(64, 64), (32, 32), (16, 16), (8, 8)]),
        ((30, 50), 8, [(30, 50), (15, 25), (8, 13)]),
        ((28, 28), 14, [(28, 28), (14, 14)]),
        ((8, 8), 8, [(8, 8)]),
    ],
)
def test_levels(size: tuple[int, int], coarsest: int, expected: list[tuple[int, int]]) -> None:
    """28 - 14 - 8 in the paper; here each size is exactly half of the one before, rounded up."""
    method = small("lapgan", coarsest=coarsest)
    method.build(DataSpec("data", 3, *size, 100))
    assert method.D.sizes == expected
    assert len(method.updates()) == len(method.optimizers()) == 2 * len(expected)
    assert method.generate(method.latents([0])).shape == (1, 3, *size)


def test_g_is_given_real_coarse_images() -> None:
    """A level whose G adds nothing generates u(d(real)), and at the coarsest level real images have no part."""
    method, batch = built(), batch_of()
    for level in (0, 1):
        for parameter in method.G.levels[level].parameters():
            nn.init.zeros_(parameter)
        smaller = downsampled(batch.real, level + 1)
        assert_close(method.generate_level(batch, level), up(smaller[-1], tuple(smaller[-2].shape[-2:])))  # pyright: ignore[reportArgumentType]
    method.eval()
    batch, other = batch_of(), batch_of()
    other.real = -other.real
    assert torch.equal(method.generate_level(batch, 2), method.generate_level(other, 2))


class Mean(nn.Module):
    """D(x) = 10 times the mean of x."""

    def forward(self, x):
        return 10 * x.mean((1, 2, 3))[:, None]


def test_losses_of_a_level_by_hand() -> None:
    """Grey reals of 0.1, bands of zero: D says 1 of real and fake alike. -log D = softplus(-1) = 0.3133, and D pays
    softplus(-1) + softplus(1) = 1.6265 (means survive halving and doubling of a constant)."""
    method, batch = built(), batch_of()
    batch.real = torch.full_like(batch.real, 0.1)
    for parameter in method.G.levels[1].parameters():
        nn.init.zeros_(parameter)
    method.D.levels[1] = Mean()
    assert method.generator_loss(batch, 1)["loss"].item() == pytest.approx(0.3132617, abs=1e-5)
    report = method.discriminator_loss(batch, 1)
    assert report["loss"].item() == pytest.approx(1.6265234, abs=1e-5)
    assert report["real"].item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_moves_itself_only(level: int) -> None:
    trainer = trainer_for(small("lapgan"))
    trainer.updates = trainer.method.level_updates(level)
    before = {key: value.clone() for key, value in trainer.method.named_parameters()}
    trainer.step()
    moved = {key for key, value in trainer.method.named_parameters() if not torch.equal(value, before[key])}
    assert {key.rsplit(".levels.", 1)[0] for key in moved} == {"G", "D"}
    assert all(key.startswith((f"G.levels.{level}.", f"D.levels.{level}.")) for key in moved)


def test_d_gets_the_images_that_g_just_painted() -> None:
    method, batch = built(), batch_of()
    fake = batch.memo("fake1", lambda: torch.full((4, 1, 14, 14), 0.5))
    seen: list[Tensor] = []
    method.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    method.discriminator_loss(batch, level=1)
    assert torch.equal(seen[1], fake)
    names = [update.name for update in method.updates()]
    assert names == [
        "generator2", "discriminator2", "generator1", "discriminator1", "generator0", "discriminator0",
    ]  # fmt: skip


# --- the order of training -------------------------------------------------------------------------------------------------


def due_at(method: LAPGAN, level: int, share: float) -> bool:
    begin, end = method.span(level)
    return begin <= share < end


def test_in_turn_each_level_has_its_third() -> None:
    method, together = built(order="in_turn"), built()
    shares = (0, 0.33, 0.34, 0.66, 0.67, 1)
    due = [[level for level in range(3) if due_at(method, level, share)] for share in shares]  # pyright: ignore[reportArgumentType]
    assert due == [[2], [2], [1], [1], [0], [0]]
    assert all(due_at(together, level, share) for level in range(3) for share in (0.0, 0.5, 1.0))  # pyright: ignore[reportArgumentType]


def test_in_turn_the_loop_trains_one_level_at_a_time() -> None:
    trainer = trainer_for(small("lapgan", order="in_turn"), steps=6)
    seen = []
    for _ in range(6):
        trainer.reports = {}
        trainer.step()
        seen.append(sorted(trainer.reports))
    assert seen == [[f"discriminator{level}", f"generator{level}"] for level in (2, 2, 1, 1, 0, 0)]


def test_in_turn_a_resume_leaves_no_trace(tmp_path: Path) -> None:
    """Cut right where the second level begins."""
    method = small("lapgan", order="in_turn")
    whole = train_small(method, tmp_path / "whole", 6)
    with pytest.raises(Crash):
        cut = small("lapgan", order="in_turn")
        train_small(cut, tmp_path / "cut", 6, checkpoint_every=2, callbacks=[CrashAfterSaving(2)])
    resumed = train_small(small("lapgan", order="in_turn"), tmp_path / "cut", 6, resume=tmp_path / "cut")
    assert_same(newest_state(resumed), newest_state(whole))


def test_the_finest_level_may_be_trained_in_every_nth_step() -> None:
    trainer = trainer_for(small("lapgan", finest_every=3), steps=6)
    seen: list[str] = []
    for _ in range(6):
        trainer.reports = {}
        trainer.step()
        seen.append("".join(sorted(name[-1] for name in trainer.reports if name.startswith("generator"))))
    assert seen == ["012", "12", "12", "012", "12", "12"]
    assert {update.every for update in built(finest_every=3, order="in_turn").updates()} == {1}
    assert {update.every for update in built(finest_every=3, coarsest=28).updates()} == {
        1
    }  # a single level is the coarsest


# --- classes and augmentation ------------------------------------------------------------------------------------------------


def test_all_networks_hear_the_class() -> None:
    trainer = trainer_for(small("lapgan", conditional=True))
    trainer.step()
    method = trainer.method.eval()
    z = method.latents([0, 0])
    one, other = method.generate(z, torch.tensor([0, 2]))
    assert not torch.equal(one, other)
    assert sample(method, 3, label=1).shape == (3, 1, 28, 28)
    for level, x in enumerate(downsampled(images_of(2), 2)):
        zero, two = (method.D(x, torch.full((2,), label)) for label in (0, 2))
        assert not torch.equal(zero, two), level


def images_of(n: int) -> torch.Tensor:
    return batch_of(n).real


def test_labels_are_used_where_they_are_worth_it() -> None:
    without = DataSpec("plain", 1, 28, 28, 1000)
    labelled = dataclasses.replace(without, classes=("a", "b"), class_counts=(500, 500))
    for spec, classes in ((without, 0), (labelled, 2), (dataclasses.replace(labelled, label_agreement=0.5), 0)):
        method = LAPGAN(width=4, disc_width=4, base_generator=(8,), base_discriminator=(8,))
        method.build(spec)
        assert (method.classes, method.conditional) == (classes, bool(classes))


def test_classes_need_labels() -> None:
    method = small("lapgan", conditional=True)
    with pytest.raises(DataError, match="has no labels"):
        method.build(DataSpec("plain", 1, 28, 28, 100))


@pytest.mark.parametrize("kind", ["diffaugment", "ada"])
def test_every_level_is_augmented(kind: str) -> None:
    trainer = trainer_for(small("lapgan", augment=kind))
    method, batch = trainer.method, trainer.feed.next()
    if kind == "ada":
        method.augment_p.fill_(1.0)
    for level in range(3):
        x = downsampled(batch.real, level)[-1]
        assert not torch.allclose(method.augmented(batch, x), x)
    trainer.step()
    assert all(torch.isfinite(torch.tensor(value)) for value in trainer.numbers().values())


def test_strength_rises_as_fast_where_the_finest_level_is_trained_less_often() -> None:
    method = built(augment="ada", ada_images=1600, batch_size=16, finest_every=2)
    due, batch = [update for update in method.updates() if update.name.startswith("discriminator")], batch_of()
    for step in range(10):
        for update in due:
            if step % update.every == 0:
                update.after({"sign": torch.tensor(1.0)}, batch)
    assert float(method.augment_p) == pytest.approx(0.1)


@pytest.mark.parametrize("order", ["together", "in_turn"])
def test_strength_rises_once_an_image_however_many_levels_judge_it(order: str) -> None:
    """ADA: 10 steps of 16 of the 1,600 images over which p goes from 0 to 1."""
    method = built(augment="ada", ada_images=1600, batch_size=16, order=order)
    due, batch = [update for update in method.updates() if update.name.startswith("discriminator")], batch_of()
    for _ in range(10):
        for update in due if order == "together" else due[:1]:
            update.after({"sign": torch.tensor(1.0)}, batch)
    assert float(method.augment_p) == pytest.approx(0.1)


def test_the_paper_s_sizes() -> None:
    method = create("lapgan", "paper")
    assert (method.base, method.base_generator, method.base_discriminator) == ("mlp", (1200, 1200), (600, 600))
    assert method.z_dim == 100


def test_noise_is_uniform() -> None:
    z = built().latents(range(20))
    assert z.shape == (20, 8 + 14 * 14 + 28 * 28)
    assert z.min() >= -1 and z.max() < 1 and abs(z.mean()) < 0.02
    assert z.var().item() == pytest.approx(1 / 3, rel=0.05)
