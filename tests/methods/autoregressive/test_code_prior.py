"""The prior over codes as a method: what it stands on, what it keeps of it, and how it fills holes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import ganvas
from ganvas.abilities import CodeGrid, HasLikelihood, Restores, Samples
from ganvas.data import open_data
from ganvas.data.batch import as_image_tensor
from ganvas.data.feed import Feed
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.methods.autoregressive.code_prior import CodePrior, _touched
from ganvas.registry import create
from ganvas.run import Run
from ganvas.sampling import sample
from parts import image_file, images, small, train_small, trainer_for, weights


def on(first: Method, **settings: object) -> CodePrior:
    """Untrained, upon an untrained first stage."""
    data = images()
    torch.manual_seed(0)
    first.setup(data.spec)
    method = small("code_prior", **settings)
    assert isinstance(method, CodePrior)
    method = method.with_first_stage(first)
    method.build(data.spec)
    method.load_first_stage(first)
    return method.eval()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A VQ-VAE of two levels after two steps."""
    return train_small(small("vq_vae", levels=2), tmp_path_factory.mktemp("stage") / "run", 2)


def test_abilities() -> None:
    """No likelihood of images: what it has is of codes."""
    assert issubclass(CodePrior, Samples) and issubclass(CodePrior, Restores)
    assert not issubclass(CodePrior, HasLikelihood)


# --- the first stage ----------------------------------------------------------------------------------------------------------


def test_a_run_needs_nothing_but_itself(stage: Run, tmp_path: Path) -> None:
    """Its first stage is that of the run, averaged weights and settings; with that run gone it samples and resumes as before."""
    folder = tmp_path / "first"
    shutil.copytree(stage.folder, folder)
    whole = train_small("code_prior", tmp_path / "whole", 6, codes=folder)
    half = train_small("code_prior", tmp_path / "half", 3, codes=folder)
    shutil.rmtree(folder)
    method = Run(half.folder).method
    assert isinstance(method, CodePrior)
    assert method.first.settings() == stage.method.settings()
    for key, value in stage.method.state_dict().items():
        assert torch.equal(method.first.state_dict()[key], value), key
    assert half.info["codes"] == str(folder)
    assert half.sample(2).shape == (2, 28, 28, 1)
    longer = train_small("code_prior", half.folder, 6, resume=half.folder)
    if method.schedule(0.3, 4) == method.schedule(0.9, 4):
        assert weights(longer) == weights(whole)
    assert torch.equal(longer.load_method().state_dict()["first.E.heads.0.weight"], stage.method.E.heads[0].weight)  # pyright: ignore


def test_the_first_stage_never_moves() -> None:
    trainer = trainer_for(small("code_prior"))
    before = {key: value.clone() for key, value in trainer.method.first.state_dict().items()}  # pyright: ignore
    for _ in range(2):
        trainer.step()
    after = trainer.method.first.state_dict()  # pyright: ignore
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        (None, UsageError, "code_prior learns the codes of a trained vq_vae: name its run by --codes RUN"),
        ("nowhere", RunError, "there is no run at nowhere"),
        ("gan", RunError, "is a run of gan, which has no codes: --codes takes a run of vq_vae"),
        ("other", DataError, r"has codes of images of .* \(3, 32, 32\); those of .* are \(1, 28, 28\)"),
        ("cut", DataError, r"saw these images otherwise: with data.fit=pad \(here crop\)"),
    ],
)  # fmt: skip
def test_what_it_cannot_stand_on(codes: str | None, error: type[Exception], message: str, tmp_path: Path) -> None:
    made: str | Path | None = codes
    if codes == "gan":
        made = train_small("gan", tmp_path / "gan", 1).folder
    if codes == "other":
        made = train_small("vq_vae", tmp_path / "other", 1, images((3, 32, 32))).folder
    if codes == "cut":
        made = train_small("vq_vae", tmp_path / "cut", 1, open_data(image_file((1, 28, 28)), fit="pad")).folder
    with pytest.raises(error, match=message):
        train_small("code_prior", tmp_path / "run", 1, codes=made)
    assert not (tmp_path / "run").exists()


def test_codes_where_none_are_wanted(stage: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gan learns images, not the codes of another run: .* train code_prior"):
        train_small("gan", tmp_path / "run", 1, codes=stage.folder)
    run = train_small("code_prior", tmp_path / "prior", 1)
    with pytest.raises(RunError, match="holds the codes that it learns: omit --codes"):
        ganvas.train("code_prior", resume=run.folder, codes=stage.folder, steps=2)


def test_a_first_stage_told_by_hand(tmp_path: Path) -> None:
    for told, message in [
        ("{", "first_stage is written by --codes RUN, and this is no such thing"),
        ("[]", "first_stage is written by --codes RUN"),
        (json.dumps({"method": "gan", "settings": {}}), "first_stage names gan, which has no codes"),
        (json.dumps({"method": "vq_vae", "settings": {"sise": 3}}), "unknown setting sise"),
    ]:
        with pytest.raises(UsageError, match=message):
            create("code_prior", "tiny", {"first_stage": told}).build(images().spec)
    with pytest.raises(UsageError, match="dcgan has no codes to learn; those of vq_vae have"):
        create("code_prior", "tiny").with_first_stage(create("dcgan"))  # pyright: ignore


# --- training -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirror", [False, True])
def test_prepared_codes_are_those_of_the_images_in_the_batch(mirror: bool) -> None:
    """Of the mirrored ones too; and images, order and random numbers are those of a feed that prepares nothing."""
    method, data = on(small("vq_vae")), images()

    def feed() -> Feed:
        generator = torch.Generator().manual_seed(0)
        return Feed(data.images, data.labels, None, batch_size=16, seed=0, generator=generator, mirror=mirror)

    plain, prepared = feed(), feed()
    prepared.prepare(method.prepare)
    assert len(prepared.prepared) == 1 + mirror
    for _ in range(4):
        one, other = plain.next(), prepared.next()
        assert torch.equal(one.real, other.real) and one.prepared is None and other.prepared is not None
        assert torch.equal(method.prepare(one.real), other.prepared)
    assert_close(method.likelihood_loss(one)["loss"], method.likelihood_loss(plain.next())["loss"], rtol=9, atol=9)  # pyright: ignore[reportPossiblyUnboundVariable]


@pytest.mark.parametrize("conditional", [False, True])
def test_it_learns_the_codes(conditional: bool) -> None:
    """Its codes of 36 images are soon known better than by their shares, whose entropy no context-free guess beats."""
    method = small("code_prior", conditional=conditional, dropout=0.0, lr=1e-2, width=12)
    trainer = trainer_for(method, steps=60)
    assert isinstance(trainer.method, CodePrior)
    codes = trainer.method.prepare(as_image_tensor(images().images))
    shares = torch.bincount(codes.flatten(), minlength=8) / codes.numel()
    entropy = float(torch.special.entr(shares).sum()) / np.log(2)
    trainer.step()
    first = trainer.numbers()["likelihood/bits_per_code"]
    while trainer.progress < 1:
        trainer.step()
    assert trainer.numbers()["likelihood/bits_per_code"] < min(0.9 * first, 0.95 * entropy)


def test_two_levels_and_classes_sample(stage: Run, tmp_path: Path) -> None:
    prior = small("code_prior", conditional=True)
    run = train_small(prior, tmp_path / "run", 2, codes=stage.folder)
    method = run.method
    assert isinstance(method, CodePrior) and len(method.prior.grids) == 2
    assert sample(method, 3, label=1).shape == (3, 1, 28, 28)
    assert not torch.equal(sample(method, 3, label=1), sample(method, 3, label=2))
    rows = [row for row in run.log() if "likelihood/bits_per_code" in row]
    both = rows[-1]["likelihood/bits_per_code_coarse"] * 16 + rows[-1]["likelihood/bits_per_code_fine"] * 49
    assert rows[-1]["likelihood/bits_per_code"] == pytest.approx(both / 65, rel=1e-4)


# --- filling holes ------------------------------------------------------------------------------------------------------------


def test_codes_touched_by_a_hole() -> None:
    """7 x 7 cells of 4 pixels; of 30 x 50 pixels, 8 x 13 cells, the last ones cut."""
    hole = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    hole[..., 7:9, 4:8] = True
    assert _touched(hole, CodeGrid("", 7, 7, 2)).nonzero()[:, 1].tolist() == [8, 15]
    hole = torch.zeros(1, 1, 30, 50, dtype=torch.bool)
    hole[..., 29, 49] = True
    assert _touched(hole, CodeGrid("", 8, 13, 2)).nonzero()[:, 1].tolist() == [103]


@pytest.mark.parametrize(("column", "code"), [(7, 0), (15, 1), (23, 2), (24, 3)])
def test_a_code_of_a_grid_that_does_not_divide_the_image_stands_for_a_power_of_two(column: int, code: int) -> None:
    """4 codes of 28 pixels after three downsamplings (14, 7, 4): 8 pixels each, the last one 4."""
    hole = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    hole[..., 0, column] = True
    assert _touched(hole, CodeGrid("", 4, 4, 2)).nonzero()[:, 1].tolist() == [code]


def test_an_image_is_filled_alike_whatever_is_beside_it() -> None:
    """Its neighbour's hole is elsewhere, and so has intact codes in other rows."""
    method, x = on(small("vq_vae")), as_image_tensor(images().images[:2])
    for weight in method.prior.parameters():
        torch.nn.init.normal_(weight, 0.0, 0.5)  # opinions, so that drafts differ in worth
    masks = torch.zeros(2, 1, 28, 28)
    masks[0, :, :14], masks[1, :, 20:] = 1, 1
    for seed in range(8):
        both = method.restore(x, masks, generator=torch.Generator().manual_seed(seed))
        alone = method.restore(x[:1], masks[:1], generator=torch.Generator().manual_seed(seed))
        assert_close(both[:1], alone)


@pytest.mark.parametrize(("levels", "conditional"), [(1, False), (2, False), (1, True)])
def test_holes_are_filled_in_several_ways(levels: int, conditional: bool) -> None:
    method = on(small("vq_vae", levels=levels), conditional=conditional)
    x = as_image_tensor(images().images[:2]).repeat_interleave(2, 0)
    hole = torch.zeros(4, 1, 28, 28)
    hole[:2, :, 7:21, 7:21] = 1
    hole[2:, :, 14:] = 1
    whole = method.restore(x, hole, generator=torch.Generator().manual_seed(0))
    intact = (hole == 0).expand_as(x)
    assert torch.equal(whole[intact], x[intact])
    assert not torch.equal(whole[0], whole[1]) and not torch.equal(whole[2], whole[3]), "candidates differ"
    filled = torch.cat([x[:2], x[:2]])  # what lies in a hole has no influence
    filled = torch.where(torch.cat([hole[:2], hole[:2]]) > 0, torch.rand_like(filled), filled)
    one = method.restore(x[:1], hole[:1], generator=torch.Generator().manual_seed(3))
    other = method.restore(filled[:1], hole[:1], generator=torch.Generator().manual_seed(3))
    assert torch.equal(one, other)


def test_nothing_missing_and_everything() -> None:
    method, x = on(small("vq_vae")), as_image_tensor(images().images[:2])
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(method.restore(x, torch.zeros(2, 1, 28, 28), generator=generator), x)
    assert bool(torch.isfinite(method.restore(x, torch.ones(2, 1, 28, 28), generator=generator)).all())
    with pytest.raises(UsageError, match="code_prior fills holes, and needs a mask"):
        method.restore(x)
