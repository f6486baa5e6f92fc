"""`ganvas import` and what it leaves: hash, licence, no second run in the same place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from foreign_networks import write_tfjs
from ganvas.errors import UsageError
from ganvas.foreign import KINDS, import_weights


def test_each_kind_says_what_it_is() -> None:
    assert list(KINDS) == ["cyclegan", "pix2pix", "esrgan", "srresnet", "compact", "esrgan_slim", "multi_style"]
    assert all(layout.title and layout.files for layout in KINDS.values())


def test_hash_and_licence_are_kept(tmp_path: Path) -> None:
    model = write_tfjs(tmp_path / "slim", 2)
    run = import_weights("esrgan_slim", model, "run", licence="MIT", source="https://example.org/x")
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert run.info["imported"] == {
        "kind": "esrgan_slim", "file": "model.json", "sha256": digest, "licence": "MIT", "source": "https://example.org/x",
    }  # fmt: skip
    assert str(tmp_path) not in Path("run/config.json").read_text()
    with pytest.raises(UsageError, match="exists already"):
        import_weights("esrgan_slim", model, "run", licence="MIT")
    with pytest.raises(UsageError, match="licence of the weights is missing"):
        import_weights("esrgan_slim", model, "other", licence=" ")
    with pytest.raises(UsageError, match="unknown kind esrgan_slin; did you mean esrgan_slim"):
        import_weights("esrgan_slin", model, "other", licence="MIT")


def test_what_a_config_claims_to_lack_is_checked(tmp_path: Path) -> None:
    import_weights("esrgan_slim", write_tfjs(tmp_path / "slim", 2), "run", licence="MIT")
    path = Path("run/config.json")
    config = json.loads(path.read_text())
    from ganvas import load
    from ganvas.errors import RunError

    for lacks in (["G", "nothing"], ["__class__"], "D", [3], {"D": 1}, ["_modules"]):
        path.write_text(json.dumps({**config, "lacks": lacks}))
        with pytest.raises(RunError, match=r"damaged|do not fit"):
            _ = load("run").method
