"""What sets StyleGAN2's training apart: lazy penalties, path length, mixing, truncation, groups of one kind."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.data import DataSpec
from ganvas.data.batch import Batch
from ganvas.errors import DataError
from ganvas.losses.gradient import path_length
from ganvas.methods.gan.stylegan2 import StyleGAN2
from ganvas.registry import create
from ganvas.sampling import sample
from parts import images, small, train_small, trainer_for


def built(**settings) -> StyleGAN2:
    torch.manual_seed(0)
    method = small("stylegan2", **settings)
    method.setup(images().spec)
    assert isinstance(method, StyleGAN2)
    return method


def batch_of(n: int = 4, rank: int = 0, ranks: int = 1) -> Batch:
    real = torch.rand(n * ranks, 1, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1
    generator = torch.Generator().manual_seed(0)
    return Batch(real[rank * n : (rank + 1) * n], generator=generator, rank=rank, ranks=ranks)


class Linear(nn.Module):
    """D(x) = <w, x> with |w| = 5; notes how many images it saw each time."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 28, 28))
        self.weight.data[0, 0, :2] = torch.tensor([3.0, 4.0])
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return (x * self.weight).sum((1, 2, 3))[:, None]


# --- path length ------------------------------------------------------------------------------------------------------------


def test_path_length_of_a_linear_generator() -> None:
    """g(w) = A w, the same in both layers: J^T y = A^T y in each, so the length is |A^T y|. y = (1, 2): (3, 8), sqrt 73."""
    A = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    w = torch.randn(5, 2, 2, requires_grad=True)
    made = (w.sum(1) @ A.t()).view(5, 1, 1, 2)
    directions = torch.tensor([1.0, 2.0]).expand(5, 1, 1, 2)
    assert_close(path_length(w, made, directions), torch.full((5,), math.sqrt(73)))


def test_path_length_averages_over_layers() -> None:
    """An image made by the first of two layers only: the squared length is halved."""
    w = torch.randn(3, 2, 4, requires_grad=True)
    made = 6 * w[:, 0, :1, None, None] + 0 * w.sum()
    assert_close(path_length(w, made, torch.ones(3, 1, 1, 1)), torch.full((3,), 6 / math.sqrt(2)))


def test_the_path_penalty_compares_with_the_moving_mean() -> None:
    method = built(path_weight=3.0, path_every=5)
    first = method.path_loss(batch_of())
    assert first["loss"] >= 15 * first["length"] ** 2  # of a = 0: the mean square is no less than the squared mean
    assert method.path_mean == 0, "a loss moves no state"
    method.move_path(first, batch_of())
    assert_close(method.path_mean, first["length"])
    assert method.path_loss(batch_of())["loss"] < first["loss"] / 4
    method.move_path({"length": first["length"] + 1}, batch_of())
    assert_close(method.path_mean, first["length"] + 0.01)


def test_shares_of_a_batch_choose_the_same_images() -> None:
    """Two processes with half a batch each see the mean of what one sees."""
    method = built()
    whole = method.path_loss(batch_of(8))
    halves = [method.path_loss(batch_of(4, rank, 2)) for rank in (0, 1)]
    for key in ("loss", "length"):
        assert_close(whole[key], (halves[0][key] + halves[1][key]) / 2)


# --- styles -------------------------------------------------------------------------------------------------------------------


def test_mixing_takes_layers_from_both() -> None:
    mixed = built(mixing=1.0).styles(batch_of(32))
    first, last = mixed[:, 0], mixed[:, -1]
    for image in range(32):
        from_first = [torch.equal(w, first[image]) for w in mixed[image]]
        from_last = [torch.equal(w, last[image]) for w in mixed[image]]
        cut = from_first.index(False)
        assert from_first == [layer < cut for layer in range(len(from_first))]
        assert from_last == [layer >= cut for layer in range(len(from_last))]
    cuts = {[torch.equal(w, one[0]) for w in one].index(False) for one in mixed}
    assert cuts == set(range(1, mixed.shape[1])), "every place is cut at"


def test_without_mixing_all_layers_have_one_style() -> None:
    styles = built(mixing=0.0).styles(batch_of())
    assert torch.equal(styles, styles[:, :1].expand_as(styles))


def test_a_share_of_the_images_is_mixed() -> None:
    styles = built(mixing=0.5).styles(batch_of(400))
    assert (styles[:, 0] != styles[:, -1]).any(1).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_the_mean_style_follows_the_first_style() -> None:
    method = built(w_decay=0.9)
    report = method.generator_loss(batch_of())
    assert not method.G.mapping.average.any(), "a loss moves no state"
    method.move_style(report, batch_of())
    assert_close(method.G.mapping.average, 0.1 * method.styles(batch_of())[:, 0].mean(0))


def test_truncation_to_the_mean_gives_one_image() -> None:
    made = sample(built(truncation=0.0).eval(), 3)
    assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2])
    assert not torch.equal(*sample(built(truncation=0.5).eval(), 2))


# --- D --------------------------------------------------------------------------------------------------------------------------


def test_r1_of_a_linear_critic() -> None:
    """R1 = 25 with any images: every * gamma / 2 * 25."""
    method = built(gamma=2.0, r1_every=8)
    method.D = Linear()
    report = method.r1_loss(batch_of())
    assert_close(report["r1"], torch.tensor(25.0))
    assert_close(report["loss"], torch.tensor(8 * 25.0))


def test_real_and_fake_images_never_share_a_pass() -> None:
    method = built()
    method.D, batch = Linear(), batch_of()
    report = method.discriminator_loss(batch)
    assert method.D.seen == [4, 4]
    assert_close(report["real"], method.D(batch.real).mean())


def test_gamma_follows_the_spread_of_the_data() -> None:
    spec = DataSpec("data", 1, 8, 8, 10, total_variance=200.0)
    for gamma, expected in ((None, 1.0), (0.3, 0.3)):
        method = create("stylegan2", "tiny", {"gamma": gamma})
        assert isinstance(method, StyleGAN2)
        method.build(spec)
        assert method.strength == pytest.approx(expected)


def test_lazy_penalties_shrink_adam() -> None:
    """c = k / (k + 1): 16 / 17 for D, 4 / 5 for G, and 1 for G where path length is left out."""
    method = built(lr=1e-3, beta2=0.99, r1_every=16, path_every=4)
    G, D = (method.optimizers()[key].defaults for key in "GD")
    assert (G["lr"], G["betas"][1]) == pytest.approx((8e-4, 0.99**0.8))
    assert (D["lr"], D["betas"][1]) == pytest.approx((1e-3 * 16 / 17, 0.99 ** (16 / 17)))
    assert built(lr=1e-3, path_weight=0.0).optimizers()["G"].defaults["lr"] == 1e-3


def test_penalties_come_in_every_nth_step() -> None:
    trainer = trainer_for(small("stylegan2", r1_every=3, path_every=2))
    due = []
    for _ in range(6):
        trainer.reports = {}
        trainer.step()
        due.append("".join(name[0] for name in trainer.reports))
    assert due == ["gpdr", "gd", "gpd", "gdr", "gpd", "gd"]
    assert [update.name for update in built(path_weight=0.0).updates()] == ["generator", "discriminator", "r1"]


# --- classes --------------------------------------------------------------------------------------------------------------


def test_classes_reach_both_networks() -> None:
    trainer = trainer_for(small("stylegan2", conditional=True))
    for _ in range(2):
        trainer.step()
    method = trainer.method.eval()
    latents, labels = torch.randn(1, 8).expand(2, 8), torch.tensor([0, 2])
    assert isinstance(method, StyleGAN2)
    with torch.no_grad():
        made = method.generate(latents, labels)
        logits = method.D(made[:1].expand(2, 1, 28, 28), labels)
    assert not torch.equal(made[0], made[1])
    assert logits[0] != logits[1]


def test_classes_need_labels() -> None:
    method = create("stylegan2", "tiny", {"conditional": True})
    with pytest.raises(DataError, match="has no labels"):
        method.build(DataSpec("data", 1, 8, 8, 10, total_variance=200.0))


def test_augmentation_serves_every_pass_of_d() -> None:
    trainer = trainer_for(small("stylegan2", augment="ada", ada_images=1, ada_target=0.0))
    for _ in range(3):
        trainer.step()
    assert all(math.isfinite(value) for value in trainer.numbers().values())
    assert "discriminator/augment_p" in trainer.numbers()


def test_truncation_is_chosen_when_sampling(tmp_path: Path) -> None:
    run = train_small("stylegan2", tmp_path / "run", 1)
    made = run.sample(2, settings={"truncation": 0.0})
    assert np.array_equal(made[0], made[1]) and not np.array_equal(*run.sample(2))
