"""Folders and zips of images: labels, splits, mixed kinds, what is refused, the cache."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data import DataSettings, image, open_data
from ganvas.data.folder import list_images
from ganvas.data.layout import arrange
from ganvas.data.scan import scan_folder
from ganvas.errors import DataError, UsageError
from parts import held_out, labels_of

Save = Callable[..., Path]


def levels(dataset: object) -> list[int]:
    return sorted(dataset.images[:, 0, 0, 0].tolist())  # pyright: ignore[reportAttributeAccessIssue]


def test_sub_folders_are_labels(tmp_path: Path, save: Save):
    for number in range(20):
        save(tmp_path / "cat" / f"{number}.png", number)
        save(tmp_path / "dog" / "deeper" / f"{number}.png", 100 + number)
    train = open_data(tmp_path)
    assert train.spec.classes == ("cat", "dog") and train.spec.shape == (1, 8, 8)
    assert ((train.images[:, 0, 0, 0] >= 100) == train.labels).all()
    test = train.part("test")
    assert len(train) == 36 and np.bincount(labels_of(test)).tolist() == [2, 2]
    assert sorted(levels(train) + levels(test)) == [*range(20), *range(100, 120)]


def test_the_order_is_shuffled_and_fixed(tmp_path: Path, save: Save):
    for number in range(60):
        save(tmp_path / f"{number:02d}.png", number)
    order = open_data(tmp_path, holdout=0).images[:, 0, 0, 0].tolist()
    assert order != sorted(order)
    assert abs(np.mean(order[:20]) - 29.5) < 12  # a prefix is a fair sample
    save(tmp_path / "zz.png", 200)  # one more file moves no other
    assert [level for level in open_data(tmp_path, holdout=0).images[:, 0, 0, 0].tolist() if level != 200] == order


def test_train_and_test_folders_are_splits(tmp_path: Path, save: Save):
    for split, base in (("Train", 0), ("val", 100)):
        for number in range(4):
            save(tmp_path / "data" / split / "ab"[number % 2] / f"{number}.png", base + number)
    train = open_data(tmp_path)
    assert levels(train) == [0, 1, 2, 3] and levels(train.part("test")) == [100, 101, 102, 103]
    assert train.spec.classes == ("a", "b") and labels_of(held_out(train)).tolist().count(1) == 2


def test_layouts():
    def classes(*names: str) -> tuple[str, ...]:
        return arrange(names).classes

    assert classes("a/1.png", "b/2.png") == ("a", "b")
    assert classes("all/a/1.png", "all/b/2.png") == ("a", "b")
    assert classes("a/1.png", "a/2.png") == ()
    assert classes("a/1.png", "b/2.png", "3.png") == ()  # an image beside the folders: they are not labels
    assert classes("train/1.png", "other/2.png") == ("other", "train")  # not exactly train and test
    tree = arrange(["train/a/1.png", "test/a/2.png", "val/a/3.png", "train/b/4.png"])
    more = arrange(["train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png", "masks/a/2.png"])
    assert (more.classes, more.unused) == (("a", "b"), {"masks": 1})
    assert [more.rows[split].tolist() for split in ("train", "test")] == [[0, 1], [2, 3]]
    assert tree.unused == {"val": 1} and tree.rows["test"].tolist() == [1] and tree.classes == ("a", "b")


def test_mixed_kinds_become_colour_of_one_size(tmp_path: Path, save: Save):
    save(tmp_path / "grey.png", 100, (40, 30))
    save(tmp_path / "colour.jpg", (200, 0, 0), (50, 50), "RGB")
    save(tmp_path / "clear.png", (0, 0, 0, 0), (33, 80), "RGBA")
    save(tmp_path / "palette.gif", 0, (60, 60), "P")
    dataset = open_data(tmp_path, holdout=0)
    # Short sides 30, 50, 33, 60: median 41.5, rounded down to a multiple of 8.
    assert dataset.spec.shape == (3, 40, 40)
    card = dataset.card()
    sizes = card["original_sizes"]
    assert (sizes["min"], sizes["median"], sizes["max"]) == ([30, 33], [55, 45], [80, 60])
    # From 30 to 60 in bins of 4 pixels: 30 and 33 in the first, 50 in the sixth, 60 in the last, which ends at 60.
    counts = [count for _, _, count in sizes["short_sides"]]
    assert sizes["short_sides"][0] == [30, 33, 2] and sizes["short_sides"][-1] == [58, 60, 1]
    assert counts == [2, 0, 0, 0, 0, 1, 0, 1]
    assert card["size_rule"].startswith("sizes differ")
    assert (
        255 in dataset.images[:, 20, 20, 1]
        and open_data(tmp_path, alpha="black", holdout=0).images[:, 20, 20].min() == 0
    )


def test_grey_stays_grey_and_alpha_is_kept_where_asked(tmp_path: Path, save: Save):
    save(tmp_path / "a.png", (50, 0), mode="LA")
    save(tmp_path / "b.png", 70)
    assert open_data(tmp_path).spec.channels == 1
    assert sorted(open_data(tmp_path).images[:, 0, 0, 0].tolist()) == [70, 255]
    assert open_data(tmp_path, alpha="keep").spec.channels == 4
    assert open_data(tmp_path, channels=3).spec.channels == 3
    assert open_data(tmp_path, channels="4").spec.channels == 4


@pytest.mark.parametrize(
    ("size", "shape"), [(16, (16, 16)), ("16", (16, 16)), ("12x20", (12, 20)), ("30X50", (30, 50))]
)
def test_sizes(size: int | str, shape: tuple[int, int], tmp_path: Path, save: Save):
    for number in range(3):
        save(tmp_path / f"{number}.png", number, (20 + number, 31))
    assert open_data(tmp_path, size=size, fit="pad").images.shape[1:3] == shape


@pytest.mark.parametrize("size", ["16x", 0, -3, "axb", "1x99999", True, 2.5])
def test_bad_sizes_are_named(size: object, tmp_path: Path):
    with pytest.raises(UsageError, match=r"data\.size must be"):
        open_data(tmp_path, size=size)


def test_unknown_settings_are_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"unknown setting data\.sise; did you mean data\.size\?"):
        open_data(tmp_path, sise=3)
    with pytest.raises(UsageError, match=r"data\.fit must be one of crop, pad, stretch"):
        open_data(tmp_path, fit="cut")


def test_settings_object_and_changes(tmp_path: Path, save: Save):
    for number in range(3):
        save(tmp_path / f"{number}.png", number)
    dataset = open_data(tmp_path, settings=DataSettings(size=4, mirror=True), size=6)
    assert dataset.images.shape[1] == 6 and dataset.settings.mirror


def test_all_broken_files_are_listed_with_their_reasons(tmp_path: Path, save: Save):
    for number in range(5):
        save(tmp_path / f"{number}.png", number)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").touch()
    whole = image.png_bytes(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])  # its header is sound
    with pytest.raises(DataError) as caught:
        open_data(tmp_path)
    message = str(caught.value)
    assert message.startswith("3 of 8 images in ") and "skip_broken" in message
    assert "text.png: not an image" in message and "empty.jpg: the file is empty" in message and "cut.png: " in message
    dataset = open_data(tmp_path, skip_broken=True, size=8, channels=1, holdout=0)
    assert levels(dataset) == [0, 1, 2, 3, 4]
    assert [name for name, _ in dataset.problems] == ["cut.png", "empty.jpg", "text.png"]
    assert (
        open_data(tmp_path, skip_broken=True, size=8, channels=1, holdout=0).problems == dataset.problems
    )  # from the cache


def test_labels_stay_with_their_images_when_some_are_left_out(tmp_path: Path, save: Save):
    whole = image.png_bytes(np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8))
    for number in range(80):
        save(tmp_path / "ab"[number % 2] / f"{number}.png", number)
    for number in range(0, 40):
        (tmp_path / "a" / f"cut{number}.png").write_bytes(whole[:60])
    dataset = open_data(tmp_path, skip_broken=True, holdout=0)
    assert len(dataset) == len(labels_of(dataset)) == 80
    assert (dataset.images[:, 0, 0, 0] % 2 == dataset.labels).all()


def test_a_split_of_broken_images_is_no_split(tmp_path: Path, save: Save):
    for number in range(3):
        save(tmp_path / "train" / f"{number}.png", number)
    whole = image.png_bytes(np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8))
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "cut.png").write_bytes(whole[:60])
    assert open_data(tmp_path, skip_broken=True).part("test") is None


def test_a_long_list_is_cut(tmp_path: Path):
    for number in range(30):
        (tmp_path / f"{number:02d}.png").write_text("x")
    with pytest.raises(DataError, match=r"30 of 30 images[\s\S]*and 10 more"):
        open_data(tmp_path)
    with pytest.raises(DataError, match="30 of 30"):
        open_data(tmp_path, skip_broken=True)


def test_what_is_no_data_set(tmp_path: Path, save: Save):
    with pytest.raises(DataError, match=r"no data set and no path 'digts'; did you mean digits\?"):
        open_data("digts")
    with pytest.raises(DataError, match="is empty; put images or"):
        open_data(tmp_path)
    (tmp_path / "notes.bin").write_bytes(b"x\0")
    (tmp_path / ".DS_Store").write_text("x")
    with pytest.raises(
        DataError, match=r"no images in .*; 2 files passed over: 1 other file \(notes.bin\), 1 system file"
    ):
        open_data(tmp_path)
    only = save(tmp_path / "one.png", 3)
    with pytest.raises(DataError, match="has 1 image; a data set takes two"):
        open_data(tmp_path)
    with pytest.raises(DataError, match="is 1 image; training needs two"):
        open_data(only)
    with pytest.raises(DataError, match="of no kind that is read here"):
        open_data(tmp_path / "notes.bin")
    save(tmp_path / "two.png", 3)
    assert len(open_data(tmp_path)) == 2 and open_data(tmp_path).card()["ignored_files"] == 2


def test_splits_that_are_not_there(tmp_path: Path, save: Save):
    for number in range(4):
        save(tmp_path / f"{number}.png", number)
    assert open_data(tmp_path).part("test") is None
    with pytest.raises(DataError, match=r"no test split of its own, and a share of 0\.1 of so few images is none"):
        open_data(tmp_path, split="test")
    with pytest.raises(DataError, match="split must be one of train, test"):
        open_data(tmp_path, split="tset")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_devices_and_links_out_of_the_folder_are_refused(tmp_path: Path, save: Save):
    outside = save(tmp_path / "outside" / "x.png", 9)
    root = tmp_path / "root"
    for number in range(3):
        save(root / f"{number}.png", number)
    (root / "inside.png").symlink_to(root / "1.png")
    assert levels(open_data(root, holdout=0)) == [0, 1, 1, 2]  # a link within the folder is a file like others
    os.mkfifo(root / "pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    (root / "out.png").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    with pytest.raises(DataError) as caught:
        open_data(root)
    for part in (
        "pipe.png: it is a pipe",
        "zero.png: it is a link that leads out",
        "out.png: it is a link",
        "folder: it is a link",
        "gone.png",
    ):
        assert part in str(caught.value)
    assert "5 of 9 images" in str(caught.value)
    assert levels(open_data(root, skip_broken=True, holdout=0)) == [0, 1, 1, 2]


def test_over_large_files_and_bombs_are_refused_by_size_and_header(tmp_path: Path, save: Save):
    save(tmp_path / "a.png", 1)
    save(tmp_path / "b.png", 2)
    with open(tmp_path / "large.png", "wb") as file:
        file.truncate(image.MAX_IMAGE_BYTES + 1)  # sparse: takes no room
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", __import__("zlib").crc32(chunk))
    (tmp_path / "bomb.png").write_bytes(png + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", 0x35AF061E))
    with pytest.raises(DataError) as caught:
        open_data(tmp_path)
    assert "large.png: 268,435,457 bytes" in str(caught.value) and "bomb.png: Image size (3600000000 pixels)" in str(
        caught.value
    )


def test_the_second_start_opens_no_image(tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch):
    for number in range(12):
        save(tmp_path / f"{number}.png", number)
    first = open_data(tmp_path)
    monkeypatch.setattr(image, "open_regular", lambda path: pytest.fail(f"{path} was opened"))
    second = open_data(tmp_path, mirror=True)  # flipping happens later and needs no other pack
    assert (first.images == second.images).all() and held_out(second).images.shape == (1, 8, 8, 1)
    assert isinstance(second.images, np.memmap) and not second.images.flags.writeable
    assert first.fingerprint == open_data(tmp_path).fingerprint != second.fingerprint


def test_a_changed_folder_is_read_again(tmp_path: Path, save: Save):
    for number in range(3):
        save(tmp_path / f"{number}.png", number)
    first = open_data(tmp_path, holdout=0)
    save(tmp_path / "1.png", 50)
    second = open_data(tmp_path, holdout=0)
    assert levels(second) == [0, 2, 50] and first.fingerprint != second.fingerprint


def test_progress_counts_images(tmp_path: Path, save: Save):
    for number in range(100):
        save(tmp_path / f"{number}.png", number)
    seen = []
    open_data(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100, 100) and [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_zip(tmp_path: Path, save: Save):
    for number in range(20):
        save(tmp_path / "set" / ("ab"[number % 2]) / f"{number}.png", number)
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "set").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
        archive.writestr("__MACOSX/set/._1.png", b"x")
        archive.writestr("notes.txt", b"x")
    zipped, plain = open_data(tmp_path / "set.zip", holdout=0), open_data(tmp_path / "set", holdout=0)
    assert zipped.name == "set" and zipped.spec.classes == ("a", "b")
    assert levels(zipped) == levels(plain) and (zipped.images[:, 0, 0, 0] % 2 == zipped.labels).all()
    assert zipped.card()["ignored_files"] == 2


def opened_beside(name: str, path: Path, image: bytes) -> int:
    """How many images a zip of two has, one of them by that name."""
    with zipfile.ZipFile(path, "w") as archive:
        for one in ("1.png", name):
            archive.writestr(one, image)
    return len(open_data(path, holdout=0.0).images)


def test_bad_zips(tmp_path: Path):
    png = image.png_bytes(np.zeros((8, 8, 1), dtype=np.uint8))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("1.png", "2.png", "../up.png", "/root.png"):
            archive.writestr(name, png)
        archive.writestr("bomb.png", b"\0" * (image.MAX_IMAGE_BYTES + 1))
    with pytest.raises(DataError) as caught:
        open_data(tmp_path / "a.zip")
    assert "../up.png: its path leads out" in str(caught.value) and "/root.png: its path leads out" in str(caught.value)
    assert "bomb.png: 268,435,457 bytes unpacked" in str(caught.value) and "3 of 5" in str(caught.value)
    assert opened_beside("shot 10:05.png", tmp_path / "c.zip", png) == 2
    with pytest.raises(DataError, match=r"C:up\.png: its path leads out"):
        opened_beside("C:up.png", tmp_path / "d.zip", png)
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match=r"cannot read .*b\.zip: File is not a zip file"):
        open_data(tmp_path / "b.zip")


def test_a_zip_that_lies_about_a_size_or_sum_is_caught(tmp_path: Path):
    png = image.png_bytes(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("1.png", "2.png", "3.png"):
            archive.writestr(name, png)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(png) + len(png) // 2] ^= 255  # one byte of the first image
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"1 of 3 images[\s\S]*1\.png: Bad CRC"):
        open_data(tmp_path / "a.zip")


def test_names_that_are_no_utf8(tmp_path: Path):
    try:
        for number in range(2):
            Image.new("L", (4, 4), number).save(os.fsencode(tmp_path) + b"/\xff%d.png" % number, format="PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert len(open_data(tmp_path)) == 2


def test_what_is_learned_while_decoding_comes_with_the_blocks(tmp_path: Path, save: Save):
    """Nothing that was known before changes: the same blocks can be drawn again."""
    for name in "ab":
        for number in range(3):
            save(tmp_path / name / f"{number}.png", number)
    whole = image.png_bytes(np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8))
    (tmp_path / "a" / "1.png").write_bytes(whole[:60])  # its header is sound
    loaded = list_images(scan_folder(tmp_path), "x", "x").load(DataSettings(holdout=0), lambda done, total: None)
    assert len(loaded.problems) == 0
    for _ in range(2):
        blocks = list(loaded.parts["train"].blocks())
        assert sum(len(block.images) for block in blocks) == 5
        assert sorted(label for block in blocks for label in labels_of(block)) == [0, 0, 1, 1, 1]
        assert [name for block in blocks for name, _ in block.problems] == ["a/1.png"]
    assert len(loaded.problems) == 0
