"""Audits of real methods at their smallest, of planted samples, and what is said where something cannot be measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from ganvas import tasks
from ganvas.data import Dataset, open_data
from ganvas.errors import DataError, RunError, UsageError
from ganvas.export.write import facts_of
from ganvas.method import Method
from ganvas.registry import create
from ganvas.report import write_report
from parts import held_out, images, train_small


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """300 training digits and 120 held-out ones; class 9 has four images."""
    data = open_data("digits")
    test = held_out(data)
    assert data.labels is not None and test.labels is not None
    few = np.flatnonzero(data.labels == 9)[:4]
    others = np.flatnonzero(data.labels != 9)[:296]
    rows = np.sort(np.concatenate([few, others]))
    path = tmp_path_factory.mktemp("digits") / "few.npz"
    np.savez(
        path, x_train=data.images[rows], y_train=data.labels[rows], x_test=test.images[:120], y_test=test.labels[:120]
    )
    return open_data(path)


def built(name: str, data: Dataset, **settings: object) -> Method:
    method = create(name, "tiny", settings)
    method.setup(data.spec)
    return method.requires_grad_(False).eval()


def test_planted_samples_are_flagged(digits: Dataset) -> None:
    unseen = held_out(open_data("digits")).images[200:240]
    samples = np.concatenate([digits.images[:160], unseen])
    result = tasks.audit(None, digits, samples, fail_above=0.3)
    assert 160 <= result.copies <= 164 and result.exact == 160 and result.originals >= 160
    assert result.flagged and result.failed
    assert result.verdict.startswith(f"copies: {result.copies} of 200 samples")
    assert "--fail-above 0.3" in result.failure
    assert all(pair.exact for pair in result.pairs) and len(result.pairs) == 40
    # The samples that are training images are next to themselves, held-out images are not.
    nearest = result.membership[0]
    assert nearest.test == "nearest sample" and nearest.auc.low > 0.5
    assert result.duplicates[0].exact == 0


def test_unseen_digits_pass(digits: Dataset) -> None:
    unseen = np.array(held_out(open_data("digits")).images[200:280])
    unseen[1] = unseen[0]
    result = tasks.audit(None, digits, unseen, fail_above=0.1)
    assert not result.flagged and not result.failed and not result.failure
    assert result.duplicates[0].exact == 2 and (result.duplicates[0].near or 0) >= 2


@pytest.mark.parametrize(
    ("name", "settings", "tests"),
    [
        ("r3gan", {"conditional": True}, ["nearest sample", "discriminator"]),
        ("vae", {}, ["nearest sample", "reconstruction", "likelihood"]),
    ],
)
def test_membership_by_abilities(digits: Dataset, name: str, settings: dict[str, object], tests: list[str]) -> None:
    """Untrained methods know nobody: every interval holds 0.5."""
    result = tasks.audit(built(name, digits, **settings), digits, count=30, tries=10)
    assert [test.test for test in result.membership] == tests
    for test in result.membership:
        assert test.auc.low <= 0.5 <= test.auc.high, test
    if settings:
        rare = result.extraction[0]
        assert (rare.label, rare.training_images, rare.tries) == ("9", 4, 10)
    else:
        assert any("not class-conditional" in note for note in result.notes)


def test_a_discriminator_that_knows_its_images_is_found(digits: Dataset) -> None:
    """D is replaced by the one thing that an overfitted D is: a lookup of the training images."""
    import torch

    method = built("r3gan", digits)
    known = torch.from_numpy(np.array(digits.images)).permute(0, 3, 1, 2).float() / 127.5 - 1

    class Lookup(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return -torch.cdist(images.flatten(1), known.flatten(1)).amin(1, keepdim=True)

    method.D = Lookup()
    result = tasks.audit(method, digits, count=20)
    by_name = {test.test: test.auc for test in result.membership}
    assert by_name["discriminator"].value > 0.99


def test_json_is_plain(digits: Dataset) -> None:
    from ganvas.strict_json import dumps

    result = tasks.audit(None, digits, np.array(digits.images[:10]))
    again = json.loads(dumps(result.as_dict()))
    assert again["copies"] == 10 and again["calibration"] == {"n": 120, "source": "120 held-out images"}


def test_an_audit_of_earlier_weights_is_not_quoted_as_one_of_now(tmp_path: Path) -> None:
    """In the report, the model card and exports; a new audit is quoted as it is."""
    run = train_small("gan", tmp_path / "run", 3, images(count=120))

    def quoted(number: int) -> list[str]:
        report = write_report(run.folder, audit=False).read_text()
        card = (run.save_pretrained(tmp_path / f"card{number}", card=True) / "README.md").read_text()
        return [report, card, facts_of(run, run.method).audit]

    result = run.audit(count=8, tries=0, device="cpu")
    assert (result.weights, result.step) == (run.weights_hash(), 3)
    assert not any("`ganvas audit RUN` again" in text for text in quoted(0)) and "outdated" not in run.audited

    run = train_small("gan", run.folder, 5, images(count=120), resume=run.folder)
    said = "udited at step 3 of 5; the run was trained further since: run `ganvas audit RUN` again"
    assert all(said in text for text in quoted(1))
    assert all(result.verdict[1:] in text for text in quoted(2)), "the verdict stands beside it"
    again = run.audit(count=8, tries=0, device="cpu")
    assert again.step == 5 and not any("trained further" in text for text in quoted(3))

    kept = {name: value for name, value in again.as_dict().items() if name not in ("weights", "step")}
    (run.folder / "audit.json").write_text(json.dumps(kept))  # as earlier versions wrote it
    assert all("udited at an unknown step: the run may have been trained further" in text for text in quoted(4))


def test_clear_errors(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a method, or samples"):
        tasks.audit(None, digits)
    with pytest.raises(UsageError, match="fail_above is a share"):
        tasks.audit(None, digits, np.array(digits.images[:5]), fail_above=2)
    with pytest.raises(DataError, match="these images are 28 x 28 x 3"):
        tasks.audit(None, digits, np.zeros((4, 28, 28, 3), np.uint8))
    with pytest.raises(RunError, match="generates no images from noise"):
        tasks.audit(built("denoise", digits), digits)
    alone = dataclasses.replace(digits, examples=digits.examples[:200], labels=None, fingerprint="", _parts={})
    result = tasks.audit(None, alone, np.array(digits.images[200:230]))
    assert result.membership == [] and "membership not tested" in result.notes[0]
