"""The card says what the config says, for every method, and holds nothing that Markdown or YAML would read as something else."""

from __future__ import annotations

from typing import Any

import pytest

from ganvas.hub import model_card
from ganvas.registry import create, find, method_names

FIGURE = {
    "value": 12.5, "better": "lower", "n": 2000, "reference": 0.75, "reference_from": "500 test images", "network": "digits abc",
}  # fmt: skip


def config_for(method: str, **more: Any) -> dict[str, Any]:
    kind = find(method).takes[0]
    spec = {
        "name": "photos",
        "channels": 3,
        "height": 32,
        "width": 32,
        "count": 1234,
        "classes": ["cat", "dog"],
        "kind": kind,
    }
    return {
        "method": method, "ganvas": "0.1.0", "sha256": "f" * 64, "spec": spec, "seed": 7,
        "settings": create(method).settings(),
        "budget": {"minutes": 5.0, "images": None, "steps": None}, "precision": "fp32", "metrics": {},
        "fingerprint": "abc", **more,
    }  # fmt: skip


@pytest.mark.parametrize("method", method_names())
def test_every_method_has_one(method: str) -> None:
    yaml = pytest.importorskip("yaml")
    card = model_card(
        config_for(method, metrics={"FD[digits]": FIGURE}), "ada/model", caption="Samples of the seeds 0 to 15."
    )
    _, head, body = card.split("---\n", 2)
    metadata = yaml.safe_load(head)
    assert metadata["library_name"] == "ganvas" and method in metadata["tags"]
    if "pipeline_tag" in metadata:
        assert metadata["model-index"][0]["results"][0]["metrics"][0] == {
            "name": "FD[digits]", "type": "FD[digits]", "value": 12.5,
        }  # fmt: skip
    for text in (
        find(method).paper, 'ganvas.from_pretrained("ada/model")', "hf:ada/model", "| FD[digits] | 12.5 | lower | 0.75 | 2000 |",
        "1,234", "![Samples of the seeds 0 to 15](samples.png)",
         "Not made. `ganvas audit`", "None is stated", "budget, minutes | 5 |", "digits abc",
    ):  # fmt: skip
        assert text in body, text


def test_facts_of_the_training() -> None:
    facts = {
        "parameters": 4513,
        "data": {"counts": {"train": 900, "test": 100}, "duplicates": {"within_train": 3}, "size_rule": "cropped"},
        "doctor": {
            "healthy": False, "note": "", "findings": [
                {"name": "mode_collapse", "confidence": 0.9, "meaning": "One mode."},  # of an older version, without a level
                {"name": "unusual_setting", "level": "note", "confidence": 0.6, "meaning": "Far."},
            ],
        },
        "audit": {
            "verdict": "Copies were found.", "n": 1000, "copies": 20, "exact": 1, "share": 0.02, "interval": [0.01, 0.03],
            "originals": 900, "false_positive_rate": 0.01,
            "membership": [{"test": "D's logits", "auc": 0.7, "low": 0.6, "high": 0.8}],
        },
    }  # fmt: skip
    card = model_card(config_for("r3gan", facts=facts, licence="MIT"), "ada/model", text="```\nhello")
    for text in (
        "4,513", "| train examples | 900 |", "| duplicates within train | 3 |", "- mode collapse (confidence 0.90): One mode.",
        "- note, unusual setting (confidence 0.60): Far.",
        "20 of 1000 samples are copies (2.00%, 95 % interval 1.00% to 3.00%), 1 of them exact", "AUC 0.700",
        "The weights: MIT.", "The audit found copies", "````text\n```\nhello\n````", 'license: "mit"',
    ):  # fmt: skip
        assert text in card, text
    assert "not examined" not in card


def test_texts_of_strangers_stay_text() -> None:
    yaml = pytest.importorskip("yaml")
    config = config_for("gan", licence='x"\npipeline_tag: evil', metrics={"a\nb: c|d": FIGURE})
    config["spec"]["name"] = "<script>alert(1)</script>\n## heading | x"
    config["spec"]["classes"] = ["![x](http://a/b)\n- item"]
    card = model_card(config, "ada/model")
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["pipeline_tag"] == "unconditional-image-generation"
    assert "<script>" not in body and "\n## heading" not in body and "\n- item" not in body
