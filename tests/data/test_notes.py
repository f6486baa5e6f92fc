"""What a training does not see as one may have expected is said: in sentences, on the card, with names."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas
from ganvas.data import open_data, png_bytes
from ganvas.data.file_kinds import IMAGES
from ganvas.data.layout import arrange
from ganvas.data.source import hold_out
from ganvas.errors import DataError, UsageError
from parts import held_out, labels_of

Save = Callable[..., Path]


def images_of(folder: Path, save: Save, count: int = 4, **more: object) -> Path:
    for number in range(count):
        save(folder / f"{number}.png", 50 * number + 20, **more)
    return folder


# --- files that are passed over ---------------------------------------------------------------------------------


def test_files_of_other_kinds_are_counted_and_named_with_what_reads_them(tmp_path: Path, save: Save, monkeypatch):
    monkeypatch.setattr("ganvas.data.image.suffixes", lambda: IMAGES)  # without the extra
    images_of(tmp_path, save)
    for name in ("IMG_1.HEIC", "IMG_2.heic", "IMG_3.heif", "a.jxl", "b.NEF", "c.psd", "notes.txt", "x.bin", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    data = open_data(tmp_path, holdout=0)
    line = data.notes[0]
    assert line == (
        '9 files passed over: 3 HEIC photos (IMG_1.HEIC, IMG_2.heic, ...; pip install "ganvas[heic]" reads them), '
        "1 JPEG XL image (a.jxl; convert them to PNG, for example with djxl), 1 camera RAW file (b.NEF; export them as JPEG,"
        " PNG or TIFF), 1 image of another kind (c.psd; convert them to PNG), 1 hidden file (.hidden),"
        " 1 other file (x.bin), 1 text (notes.txt)"
    )
    assert data.card()["notes"] == data.notes and data.card()["passed_over"][0]["count"] == 3
    (tmp_path / "IMG_4.heic").write_bytes(b"x")  # the cache must not hide what came later
    assert open_data(tmp_path, holdout=0).notes[0].startswith("10 files passed over: 4 HEIC photos")


@pytest.mark.parametrize("name", ["@eaDir", "$RECYCLE.BIN", "lost+found", ".thumbnails", ".Trash-1000", "__MACOSX"])
def test_folders_of_the_system_are_skipped_and_counted(name: str, tmp_path: Path, save: Save):
    root = images_of(tmp_path / "root", save)
    images_of(root / name, save, 2)
    with zipfile.ZipFile(tmp_path / "root.zip", "w") as archive:
        for path in root.rglob("*.png"):
            archive.write(path, path.relative_to(root))
    for place in (root, tmp_path / "root.zip"):
        data = open_data(place, holdout=0)
        assert len(data) == 4 and not data.spec.classes
        assert data.notes == [f"1 file passed over: 1 system file or folder ({name})"]


def test_clips_and_texts_say_it_too(tmp_path: Path, save: Save):
    from ganvas.data.kinds.audio import wav_bytes

    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(wav_bytes(np.full(100, number, np.int16), 8000))
    images_of(tmp_path, save, 2)
    data = open_data(tmp_path, holdout=0)
    assert data.notes == [
        "2 files passed over: 2 images (0.png, 1.png)",
        "mixed kinds of data: 3 sounds and 2 images. Only the sounds are taken",
    ]
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("some text to read\n" * 20)
    (texts / "b.pdf").write_bytes(b"%PDF")
    (texts / "@eaDir").mkdir()
    (texts / "@eaDir" / "a.txt").write_text("not this")
    data = open_data(texts)
    assert data.notes == [
        "2 files passed over: 1 image of another kind (b.pdf; convert them to PNG), 1 system file or folder (@eaDir)"
    ]


def test_a_folder_of_mixed_kinds_is_named(tmp_path: Path, save: Save):
    images_of(tmp_path, save)
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "b.txt").write_text("x")
    assert open_data(tmp_path, holdout=0).notes[1] == (
        "mixed kinds of data: 4 images, 1 sound and 1 text. Only the images are taken"
    )


def test_a_web_page_or_a_pointer_named_as_an_image_is_recognised(tmp_path: Path):
    contents = {
        "a.png": b"<!DOCTYPE html><html>", "b.png": b"version https://git-lfs.github.com/spec/v1\n", "c.jpg": b"%PDF-1.4",
        "d.jpg": b"\0\0\0\x18ftypheic\0\0\0\0", "e.png": b"\0\0\0\x0cJXL \r\n\x87\n",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_data(tmp_path)
    for part in (
        "a.png: it is a web page",
        "b.png: it is a pointer of Git LFS",
        "c.jpg: it is a PDF",
        "e.png: it is a JPEG XL",
    ):
        assert part in str(caught.value)
    assert "d.jpg: " in str(caught.value)  # what it is, or with the extra, that it is damaged


# --- names ------------------------------------------------------------------------------------------------------


def test_names_in_a_zip(tmp_path: Path, save: Save):
    """Backslashes as PowerShell 5 writes them, names in UTF-8 without its mark as macOS does, both forms of Unicode."""
    content = save(tmp_path / "x.png", 90).read_bytes()
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        for split in ("train", "test"):
            for name in ("cats", "dogs"):
                for number in range(5):
                    info = zipfile.ZipInfo("x")
                    info.filename = f"{split}\\{name}\\{number}.png"
                    archive.writestr(info, content)
    data = open_data(tmp_path / "w.zip")
    assert data.spec.classes == ("cats", "dogs") and (len(data), len(held_out(data))) == (10, 10)

    from ganvas.data.photo import find_photos

    assert find_photos(tmp_path / "w.zip")[0][0] == "test/cats/0.png"

    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for number, name in enumerate(["cafXX", "cafYYY", "tea"] * 4):
            archive.writestr(f"{name}/{number}.png", content)
    raw = (
        (tmp_path / "m.zip")
        .read_bytes()
        .replace(b"cafXX", "caf\u00e9".encode())
        .replace(b"cafYYY", "cafe\u0301".encode())
    )
    (tmp_path / "m.zip").write_bytes(raw)
    data = open_data(tmp_path / "m.zip", holdout=0)
    assert data.spec.classes == ("caf\u00e9", "tea") and data.spec.class_counts == (8, 4)


def test_a_zip_that_holds_a_name_in_both_forms_holds_it_twice(tmp_path: Path, save: Save):
    content = save(tmp_path / "x.png", 90).read_bytes()
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        for name in ("a/1.png", "a\\1.png", "b/2.png", "b/..\\..\\3.png"):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, content)
    with pytest.raises(DataError, match=r"2 of 4 images[\s\S]*the archive holds it twice") as caught:
        open_data(tmp_path / "w.zip")
    assert "leads out of the archive" in str(caught.value)


def test_partners_and_classes_are_matched_in_one_form_of_unicode(tmp_path: Path, save: Save):
    for number in range(3):
        save(tmp_path / "a" / f"caf\u00e9{number}.png", 90 + number)
        save(tmp_path / "b" / f"cafe\u0301{number}.png", 190 + number)
    data = open_data(tmp_path / "a", partner=str(tmp_path / "b"), holdout=0)
    assert data.partners is not None
    assert (data.partners - data.images == 100).all()
    assert arrange(["train/\u00e9/1.png", "train/b/2.png", "test/e\u0301/3.png"]).classes == ("b", "\u00e9")


# --- splits and labels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("sizes", [[1] * 20, [1, 2, 3, 50], [2] * 30, [7, 1, 1, 40]])
def test_every_class_keeps_an_image_to_train_on(sizes: list[int], share: float):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    train, test = hold_out(np.random.default_rng(0).permutation(len(labels)).astype(np.uint64), labels, share)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert np.bincount(labels[train], minlength=len(sizes)).min() >= 1


def test_classes_without_training_images_are_said(tmp_path: Path, save: Save):
    for split, name in (("train", "a"), ("train", "b"), ("test", "a"), ("test", "c")):
        images_of(tmp_path / split / name, save, 3)
    data = open_data(tmp_path)
    assert data.notes == ["1 of 3 classes have nothing to train on: c"]


def test_a_class_that_was_never_trained_is_not_sampled(tmp_path: Path, save: Save):
    for split, names in (("train", "ab"), ("test", "abc")):
        for name in names:
            images_of(tmp_path / "d" / split / name, save, 4)
    run = ganvas.train(
        "cgan",
        tmp_path / "d",
        preset="tiny",
        steps=2,
        samples=0,
        out=tmp_path / "r",
        settings={"batch_size": 4},
    )
    assert run.sample(1, label="b").shape[0] == 1
    with pytest.raises(UsageError, match="saw no training example of class c"):
        run.sample(1, label="c")
    log = [json.loads(line) for line in (tmp_path / "r" / "log.jsonl").read_text().splitlines()]
    messages = [row["message"] for row in log if row.get("event") == "said"]
    assert "data: 1 of 3 classes have nothing to train on: c" in messages


def test_one_stray_file_takes_no_labels(tmp_path: Path, save: Save):
    for name in ("cat", "dog"):
        images_of(tmp_path / name, save, 10)
    save(tmp_path / "cover.png", 250)
    data = open_data(tmp_path)
    assert data.spec.classes == ("cat", "dog") and (len(data), len(held_out(data))) == (18, 2)
    assert data.notes == ["passed over: cover.png lies beside the folders of classes or splits"]
    assert 250 not in data.images and np.bincount(labels_of(data)).tolist() == [9, 9]


def test_many_files_beside_the_folders_take_them_and_are_named(tmp_path: Path, save: Save):
    for name in ("cat", "dog"):
        images_of(tmp_path / name, save, 3)
    images_of(tmp_path, save, 2)
    data = open_data(tmp_path)
    assert not data.spec.classes and len(data) == 8
    assert data.notes == [
        "no labels: 2 files (0.png, 1.png) lie beside the folders cat, dog. Move what belongs to a class into its folder, and the"
        " rest elsewhere"
    ]
    with pytest.raises(DataError, match=r"has no labels.*2 files \(0.png, 1.png\) lie beside"):
        ganvas.train("cgan", tmp_path, preset="tiny", steps=1, out=tmp_path / "r", settings={"batch_size": 4})


def test_a_flat_test_folder_leaves_the_labels_of_train(tmp_path: Path, save: Save):
    for name in ("cat", "dog"):
        images_of(tmp_path / "train" / name, save, 10)
    images_of(tmp_path / "test", save, 4)
    data = open_data(tmp_path)
    assert data.spec.classes == ("cat", "dog") and (len(data), len(held_out(data))) == (18, 2)
    assert data.notes == [
        "the test folder is not used: 4 files (test/0.png, test/1.png, test/2.png, ...) lie in no folder of a class, as in train"
    ]


def test_stray_files_beside_splits_and_wrappers():
    many = [f"train/{name}/{number}.png" for name in "ab" for number in range(9)]
    tests = ["test/a/1.png", "test/b/1.png"]
    layout = arrange([*many, *tests, "cover.png"])
    assert layout.strays == (20,) and layout.classes == ("a", "b") and layout.rows["test"].tolist() == [18, 19]
    layout = arrange([*(f"set/{name}" for name in [*many, *tests]), "readme.png"])
    assert layout.strays == (20,) and layout.classes == ("a", "b") and layout.rows["test"].tolist() == [18, 19]
    layout = arrange([*many, "train/cover.png", *tests])
    assert layout.strays == (18,) and layout.classes == ("a", "b")
    # Where nothing is gained, nothing is passed over.
    layout = arrange([*(f"photos/{number}.png" for number in range(20)), "cover.png"])
    assert layout.strays == () and layout.rows["train"].tolist() == list(range(21))
    layout = arrange([*(f"train/a/{number}.png" for number in range(20)), "train/cover.png", "test/a/1.png"])
    assert layout.strays == () and len(layout.rows["train"]) == 21 and layout.labels is None


# --- ranges -----------------------------------------------------------------------------------------------------


def test_few_bits_in_sixteen_are_refused(tmp_path: Path, noise: Callable[..., np.ndarray]):
    values = noise(6, 8, 8)
    np.savez(tmp_path / "a.npz", images=values.astype(np.uint16))
    with pytest.raises(DataError, match=r"greatest value 255 of 65,535, which is black: do these hold bytes\?"):
        open_data(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", values.astype(np.uint16) * 16)
    with pytest.raises(DataError, match=r"greatest value 4,080 of 65,535.*12 bits\? Multiply the values by 16"):
        open_data(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", values / 255**2)
    with pytest.raises(DataError, match="divided by 255 twice"):
        open_data(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", values.astype(np.uint16) * 257)
    assert (open_data(tmp_path / "c.npy", holdout=0).images.max()) == values.max()
    np.save(tmp_path / "d.npy", values // 16)
    assert "look black" in open_data(tmp_path / "d.npy").notes[0]
    np.save(tmp_path / "e.npy", np.zeros((4, 8, 8), np.uint16))  # black is black
    assert open_data(tmp_path / "e.npy").images.max() == 0


@pytest.mark.parametrize(
    ("suffix", "scale", "message"),
    [
        ("tif", 1, "do these hold bytes"),
        ("png", 1, "do these hold bytes"),
        ("png", 16, "12 bits"),
        ("tif", 4, "10 bits"),
    ],
)
def test_files_of_few_bits_in_sixteen(
    suffix: str, scale: int, message: str, tmp_path: Path, noise: Callable[..., np.ndarray]
):
    values = noise(5, 8, 8)
    for number, one in enumerate(values):
        kind = np.int32 if suffix == "tif" else np.uint16
        Image.fromarray(one.astype(kind) * scale).save(tmp_path / f"{number}.{suffix}")
    with pytest.raises(DataError, match=rf"5 images of 16 bits, such as .\.{suffix}: greatest value .*{message}"):
        open_data(tmp_path, holdout=0)
    # One that uses the range shows that the others are only dark.
    Image.fromarray(np.full((8, 8), 60000, np.uint16)).save(tmp_path / f"bright.{suffix}")
    assert open_data(tmp_path, holdout=0).images.max() == 233


def test_colour_of_few_bits_in_sixteen(tmp_path: Path, noise: Callable[..., np.ndarray]):
    from ganvas.data import png16

    values = noise(3, 8, 8, 3).astype(np.uint16)
    for number, one in enumerate(values):
        (tmp_path / f"{number}.png").write_bytes(png16.encode(one * 16))
    with pytest.raises(DataError, match=r"3 images of 16 bits.*bits"):
        open_data(tmp_path, holdout=0)


# --- images of another size, frames ---------------------------------------------------------------------------------


def test_resized_images_and_dropped_frames_are_said(tmp_path: Path, save: Save):
    images_of(tmp_path, save, 3, size=(16, 16))
    save(tmp_path / "wide.png", 50, size=(64, 16))
    frames = [Image.new("L", (16, 16), level) for level in (10, 90, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "b.tif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "c.webp", save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(tmp_path / "d.png", save_all=True, append_images=frames[1:])
    notes = open_data(tmp_path, holdout=0, size=16).notes
    assert notes == [
        "4 of 8 images have several frames or pages (a.gif, b.tif, c.webp, ...): the first of each is taken"
        " (data.frames=16 reads them as clips)",
        "1 of 8 images have another size than 16x16 and are resized and cropped: 0% of each is cut off (median), 75% at most"
        " (data.size, data.fit)",
    ]
    assert "stretched, by 4.0 at most" in open_data(tmp_path, holdout=0, size=16, fit="stretch").notes[1]


@pytest.mark.parametrize("suffix", [".heic", ".flac", ".mp4", ".psd", ".cr2", ".jxl"])
def test_a_folder_of_what_is_not_read_is_no_text_for_its_readme(suffix: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("ganvas.data.image.suffixes", lambda: IMAGES)
    monkeypatch.setattr("ganvas.data.open.suffixes", lambda: IMAGES)
    monkeypatch.setattr("ganvas.data.sound.suffixes", lambda: frozenset({".wav"}))
    monkeypatch.setattr("ganvas.data.video.suffixes", frozenset)
    (tmp_path / "README.md").write_text("About these files.\n" * 40)
    for number in range(3):
        (tmp_path / f"{number}{suffix}").write_bytes(b"x")
    with pytest.raises(DataError, match=rf"no images in .*3 .*\(0{suffix}, 1{suffix}, \.\.\.[;)].*1 text \(README.md"):
        open_data(tmp_path)


def test_a_parquet_file_with_a_readme_is_no_text(tmp_path: Path, noise: Callable[..., np.ndarray]):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "README.md").write_text("About these files.\n" * 40)
    rows = {"image": [png_bytes(one) for one in noise(8, 8, 8, 3)]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "train.parquet")
    assert len(open_data(tmp_path, holdout=0)) == 8
