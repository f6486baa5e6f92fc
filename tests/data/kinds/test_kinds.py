"""Kinds of data: each answers for itself, and nobody else asks which one it is."""

from __future__ import annotations

import ast
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import ganvas
from ganvas.data import DataSettings, DataSpec, example_grid, open_data
from ganvas.data.kinds import KINDS, Kind, check_settings, shown_settings
from ganvas.data.mesh import read_mesh
from ganvas.data.spec import UNIT_OF_KIND, AudioFacts, TextFacts, VideoFacts
from ganvas.data.surface import is_closed
from ganvas.errors import DataError, UsageError
from ganvas.provenance import Provenance
from ganvas.settings import as_dict

SOURCE = Path(ganvas.__file__).parent
IMAGES = DataSpec("dots", 3, 48, 64, 4, paired=True)
FILM = DataSpec("films", 1, 24, 32, 4, kind="video", video=VideoFacts(6, 8.0))
SOLID = DataSpec("shapes", 8, 12, 16, 4, kind="volumes")
SOUND = DataSpec("tones", 1, 1, 800, 4, kind="audio", audio=AudioFacts(8000))


def is_kind(node: ast.expr) -> bool:
    """`spec.kind`, `kind`, `facts["kind"]` and `facts.get("kind", ...)`."""
    if isinstance(node, ast.Attribute):
        return node.attr == "kind"
    if isinstance(node, ast.Name):
        return node.id == "kind"
    keys: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        keys = [node.slice]
    if isinstance(node, ast.Call):
        keys = node.args
    return any(isinstance(key, ast.Constant) and key.value == "kind" for key in keys)


def branches(tree: ast.AST) -> list[int]:
    """Lines that compare a kind with the name of one, or hold a table by kind."""
    found = []
    for node in ast.walk(tree):
        names = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        if isinstance(node, ast.Compare) and any(map(is_kind, [node.left, *node.comparators])) and names & set(KINDS):
            found.append(node.lineno)
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if len(keys & set(KINDS)) > 1:
                found.append(node.lineno)
    return found


def test_nobody_asks_which_kind_it_is() -> None:
    seen = branches(
        ast.parse('if spec.kind == "text" or facts.get("kind") in ("audio",): ...\nx = {"images": 1, "text": 2}')
    )
    assert sorted(seen) == [1, 1, 2]
    allowed = {SOURCE / "data" / "spec.py"}  # the table of units
    for path in SOURCE.rglob("*.py"):
        if path not in allowed and (SOURCE / "data" / "kinds") not in path.parents:
            assert not branches(ast.parse(path.read_text(encoding="utf-8"))), path


def test_each_kind_is_complete() -> None:
    assert KINDS.keys() == UNIT_OF_KIND.keys()
    fields = set(as_dict(DataSettings()))
    for kind in KINDS.values():
        assert len(kind.settings) == len(set(kind.settings)) and set(kind.settings) < fields
        assert set(kind.wanted) <= set(kind.settings)
    assert len({kind.suffix for kind in KINDS.values()}) == len(KINDS) - 1, "texts and translations are .txt"
    for name, kind in KINDS.items():
        assert kind.name == name and kind.unit == UNIT_OF_KIND[name]


@pytest.mark.parametrize(
    ("kind", "shown", "hidden"),
    [
        ("images", {"size", "mirror", "holdout", "skip_broken"}, {"rate", "tokens"}),
        ("audio", {"rate", "seconds", "holdout", "skip_broken"}, {"size", "vocabulary"}),
        ("text", {"tokens", "vocabulary", "holdout"}, {"size", "rate", "skip_broken"}),
        (
            "parallel_text",
            {"vocabulary", "longest", "direction", "partner", "holdout"},
            {"size", "tokens", "skip_broken"},
        ),
        ("video", {"frames", "every", "size", "mirror", "holdout"}, {"rate", "partner", "tokens"}),
        ("volumes", {"voxels", "holdout", "skip_broken"}, {"size", "rate", "mirror"}),
    ],
)
def test_settings_belong_to_a_kind(kind: str, shown: set[str], hidden: set[str]) -> None:
    found = set(shown_settings(KINDS[kind], list(as_dict(DataSettings()))))
    assert shown <= found and not hidden & found


def test_settings_of_another_kind_are_refused() -> None:
    check_settings(DataSettings(rate=8000), KINDS["audio"], "x")
    with pytest.raises(UsageError, match=r"data.rate is about audio, and x is images: omit it"):
        check_settings(DataSettings(rate=8000), KINDS["images"], "x")
    with pytest.raises(UsageError, match=r"data.frames is about video, and x is images: omit it"):
        check_settings(DataSettings(frames=8), KINDS["images"], "x")
    check_settings(DataSettings(size=8), KINDS["video"], "x")
    with pytest.raises(UsageError, match=r"data.vocabulary is for data.tokens=bytepairs"):
        check_settings(DataSettings(vocabulary=99), KINDS["text"], "x")


def test_other_data_open_in_the_same_shape() -> None:
    images = KINDS["images"].settings_like(IMAGES, {"holdout": 0.2, "partner": "b", "channels": "auto"})
    assert images["size"] == "48x64" and images["channels"] == 3
    assert images["partner"] is None and images["holdout"] == 0.2
    sound = KINDS["audio"].settings_like(SOUND, {"holdout": 0.2})
    assert sound == {"holdout": 0.2, "rate": 8000, "seconds": 0.1}
    video = KINDS["video"].settings_like(FILM, {"holdout": 0.2, "frames": 0})
    assert video == {"holdout": 0.2, "size": "24x32", "frames": 6, "channels": 1}
    assert KINDS["volumes"].settings_like(SOLID, {"holdout": 0.2}) == {"holdout": 0.2, "voxels": 16}
    assert KINDS["text"].settings_like(SOUND, {"tokens": "bytepairs", "vocabulary": 300, "holdout": 0}) == {
        "holdout": 0
    }


def test_only_images_are_images(tmp_path: Path) -> None:
    assert [name for name, kind in KINDS.items() if kind.is_image] == ["images"]
    (tmp_path / "a.txt").write_text("ab" * 50)
    text = open_data(tmp_path / "a.txt")
    assert text.kind is KINDS["text"] and isinstance(text.kind, Kind)
    with pytest.raises(DataError, match="a holds text, and this takes images"):
        _ = text.images
    with pytest.raises(DataError, match="a holds text, and a grid is of images"):
        example_grid(text)
    assert open_data("digits").images.dtype == np.uint8


def test_only_volumes_are_solid(tmp_path: Path) -> None:
    """They are written as closed meshes of their largest piece, shown as renders, and turn."""
    kind = KINDS["volumes"]
    assert [name for name, one in KINDS.items() if one.is_solid] == ["volumes"]
    samples = torch.full((2, 8, 12, 16), -1.0)
    samples[:, 2:6, 3:9, 4:12] = 1.0
    samples[1, 7, 11, 15] = 1.0  # a piece of one voxel
    finished = kind.finished(samples, SOLID)
    assert finished.shape == (2, 8, 12, 16) and finished.dtype == np.uint8
    assert kind.arrays(finished, SOLID)["volumes"] is finished
    made = Provenance(method="gan3d", command="sample")
    for suffix in (".obj", ".ply"):
        path = tmp_path / f"one{suffix}"
        kind.write(path, finished[1], SOLID, made)
        content = path.read_bytes()
        assert b"gan3d" in content
        mesh = read_mesh(io.BytesIO(content), suffix)
        assert is_closed(mesh) and mesh.vertices.max(0) == pytest.approx([11.5, 8.5, 5.5])
    film = kind.film(finished)
    grid = kind.image_grid(finished, SOLID)
    assert grid is not None and film.shape[1:] == grid.shape and np.array_equal(film[0], grid)
    with pytest.raises(DataError, match="clips do not move"):
        KINDS["audio"].film(np.zeros((1, 8), np.int16))


def test_a_spec_survives_a_file() -> None:
    """With the facts of its kind; keys at their default may be missing."""
    short = {"name": "dots", "channels": 1, "height": 2, "width": 3, "count": 4, "classes": ["a", "b"], "paired": False}
    spec = DataSpec.from_dict(short)
    assert spec == DataSpec("dots", 1, 2, 3, 4, ("a", "b")) and spec.unit == "images"
    facts = {"tokens": ["a", "ab"], "merges": [[0, 1]]}
    text = DataSpec.from_dict({**short, "kind": "text", "text": facts})
    assert text.text == TextFacts(("a", "ab"), ((0, 1),)) and text.unit == "tokens"
    for spec in (SOUND, text, FILM):
        assert DataSpec.from_dict(json.loads(json.dumps(dataclasses.asdict(spec)))) == spec
    with pytest.raises(ValueError, match="kind must be one of images, audio, text, parallel_text, video, volumes"):
        DataSpec.from_dict({**short, "kind": "smell"})


def test_clips_and_volumes_are_compared_as_images() -> None:
    """All depths of a volume; of a clip frames from the first to the last."""
    clips = torch.arange(10.0).view(1, 1, 10, 1, 1).expand(2, 3, -1, 4, 5)
    seen = KINDS["video"].as_images(clips)
    assert seen.shape == (2, 12, 4, 5) and seen[0, :4, 0, 0].tolist() == [0, 3, 6, 9]
    volumes = torch.rand(2, 6, 4, 5)
    assert torch.equal(KINDS["volumes"].as_images(volumes), volumes)
    for kind in KINDS.values():
        assert kind.is_compared == (kind.name in ("images", "video", "volumes"))
    with pytest.raises(DataError, match="not compared as images"):
        KINDS["text"].as_images(volumes)
