"""Do edits do what was asked, and nothing else? Digits with measured attributes, faces with glasses, emoji.

    python benchmarks/editing.py digits [--methods vae r3gan r3gan-classes] [--seeds 0 1 2] [--out DIR] [--json]
    python benchmarks/editing.py faces FACES.npz [--minutes 6]
    python benchmarks/editing.py emoji EMOJI.npz [--minutes 6]

digits: a training of `--minutes` of processor time for each method and seed (vae-classes and r3gan-classes know classes), then
  thick - thin  the mean of the thickest fifth of samples less that of the thinnest, times --strength, added to 500 others: share
                in which thickness rises by half of its standard deviation, share whose class stays (a probe on the shipped digit
                network reads it before and after); beside it random directions of the same length
  reach         the same direction, each image only as far as it needs to become thicker by half a standard deviation
  kept          thickness +2 by its linear probe, orthogonal to the directions of all classes: the same two shares
  readable      share of the 500 whose class a second classifier, a small convolutional network, reads as the probe does: of an
                image that is no digit no edit keeps the class. All of it again of 500 samples with --truncation (truncated ...)
  unsupervised  R^2 of thickness and slant with the place along the best direction that was found without labels
  classes       mean of class b less mean of class a, added to 20 samples of class a: share read as b, over all 90 pairs
  inversion     PSNR of held-out digits and of generated ones inverted again

faces: 400 faces of 40 people (the Olivetti set as `x`), of which a VAE sees nine in ten. Glasses are the mean of the men with
glasses less that of the men without, of 30 people; they are added to the women and men of the other 10 people who wear none.
Success is read by a probe that was fitted on the 30 people and is measured on the other 10.

emoji: `google`, `twitter` and `names` of emoji, of which a VAE sees nine in ten. Woman less man of three quarters of the pairs is
added to the other men, read by a probe of the same pairs. With --tones, a folder of PNG files named by code points (the npm
package emoji-datasource-google has them), dark skin less light skin likewise, on images that the VAE never saw.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Table, facts, finish, folder_of, make_parser, mean_and_spread, parse, steps_of, train_run

from ganvas.data import grid, open_data, read_image, write_png
from ganvas.data.batch import as_image_tensor
from ganvas.data.image import fit, to_channels
from ganvas.metrics.probe import Probe, fit_probe
from ganvas.networks.classifier import Classifier
from ganvas.run import Run
from ganvas.tasks.classifier import labelled_part, predictions, train_classifier
from ganvas.tasks.directions import Direction, explained, factorised_directions, principal_directions, random_direction
from ganvas.tasks.editor import Edited, Editor
from ganvas.tasks.invert import invert
from ganvas.tasks.latents import Points, synthesised

EDITED = 500
RANDOM = 5  # random directions beside each edit
STRENGTHS = (1.0, 1.5, 2.0)  # of a difference of means
REACH_MOST = 2.0  # strengths of thick minus thin that `reach` goes at most
KEPT_STRENGTH = 2.0  # of the probe's direction of thickness, orthogonal to those of all classes
METHODS: dict[str, tuple[str, str, dict[str, Any], float]] = {
    "vae": ("vae", "small", {}, 2.0),
    "vae-classes": ("vae", "small", {"conditional": True}, 2.0),
    "r3gan": ("r3gan", "cpu", {}, 4.0),
    "r3gan-classes": ("r3gan", "cpu", {"conditional": True}, 4.0),
    "stylegan2": ("stylegan2", "small", {}, 6.0),
}

# Faces with glasses, by looking at all 400: person, and which of the ten images ("all").
GLASSES: dict[int, Sequence[int]] = {
    1: range(10), 3: (0, 1, 2, 7, 8), 5: range(10), 6: (3, 4, 9), 12: (0, 1, 4, 5, 6, 7, 8, 9), 13: range(10),
    16: (0, 1, 4, 5, 6, 7, 8, 9), 18: (0, 1, 2, 5, 9), 19: (0, 1, 2, 4, 6, 7, 8, 9), 26: range(10), 27: range(10),
    30: range(10), 33: range(10), 35: (8, 9), 36: range(10),
}  # fmt: skip
WOMEN = (7, 9, 31, 34)
HELD_OUT_PEOPLE = tuple(range(3, 40, 4))


# --- digits -------------------------------------------------------------------------------------------------------------


def digits_row(name: str, seed: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One training and its figures."""
    method, preset, settings, minutes = METHODS[name]
    data = open_data("digits")
    run = train_run(
        method,
        data,
        folder / f"{name}-{seed}",
        minutes=options.minutes or minutes,
        seed=seed,
        preset=preset,
        settings=settings,
    )
    editor = Editor(run.method, data=lambda: data)
    row: dict[str, Any] = {"method": name, "seed": seed, "steps": steps_of(run)}
    row |= thicker(editor, options.strength, editor.points(range(EDITED)))
    clearer = thicker(editor, options.strength, editor.points(range(EDITED), truncation=options.truncation))
    row |= {f"truncated_{key}": value for key, value in clearer.items() if key != "length"}
    row |= unsupervised(editor)
    row |= class_arithmetic(editor)
    test = data.part("test")
    assert test is not None and test.labels is not None
    images, labels = np.asarray(test.images[: options.inverted]), np.asarray(test.labels[: options.inverted])
    inverted = invert(run.method, images, labels, steps=options.steps, reference=options.inverted // 2)
    row |= {
        "held_out_psnr": float(inverted.psnr.mean()),
        "held_out_worst": float(inverted.psnr.min()),
        "generated_psnr": inverted.reference_psnr,
        "held_out_distance": float(inverted.feature_distance.mean()),
        "generated_distance": inverted.reference_distance,
    }
    if options.grids:
        points = editor.points(range(8))
        direction = difference(editor)
        sweep = editor.sweep(points, [(direction, options.strength)], 7, both=True)
        write_png(options.grids / f"thick-{name}-{seed}.png", grid(sweep.reshape(-1, *sweep.shape[2:]), columns=7))
    return row


def difference(editor: Editor) -> Direction:
    """Thick minus thin."""
    direction = editor.combine("thickness>0.8 - thickness<0.2").direction
    assert direction is not None
    return direction


def thicker(editor: Editor, strength: float, points: Points) -> dict[str, Any]:
    """Thick minus thin on other digits, and random directions of the same length."""
    direction = difference(editor)
    row: dict[str, Any] = {"length": strength * direction.scale}
    row |= moved_by(editor, points, direction, strength, "")
    others = [
        moved_by(editor, points, random_direction(editor.space, direction, seed), strength, "random_")
        for seed in range(RANDOM)
    ]
    for key in others[0]:
        row[key] = float(np.mean([other[key] for other in others]))
    asked = 0.5 * editor.measured.deviation("thickness")
    reached, _ = editor.reach(points, direction, "thickness", asked, most=REACH_MOST)
    row |= {"reach_rose": rise(reached), "reach_same_class": reached.same_class}
    clear = readable_rows(editor, reached.before)
    row["readable"] = float(clear.mean())
    row["reach_same_class_of_readable"] = editor.same_class(reached.before[clear], reached.after[clear])
    kept = editor.move(points, {"thickness": KEPT_STRENGTH}, keep=["class"])
    return {**row, "kept_rose": rise(kept), "kept_same_class": kept.same_class}


def readable_rows(editor: Editor, images: np.ndarray) -> np.ndarray:
    """(n,) bool: whether the probe and a classifier that has nothing to do with it read the same class."""
    assert editor.probe is not None
    other = predictions(second_reader(), as_image_tensor(np.array(images))).numpy()
    return editor.probe.predict(images) == other


@functools.cache
def second_reader() -> Classifier:
    """A small classifier of digits."""
    train = labelled_part(open_data("digits"))
    return train_classifier(train, 10, seed=0, changes=True)


def rise(edited: Edited) -> float:
    """Share of the images that became thicker by half a standard deviation."""
    return next(one for one in edited.changes if one.attribute == "thickness").rose


def moved_by(editor: Editor, points: Points, direction: Direction, strength: float, prefix: str) -> dict[str, float]:
    """Share of the images that became thicker by half a standard deviation, and whose class stayed."""
    edited = editor.move(points, [(direction, strength)])
    change = next(one for one in edited.changes if one.attribute == "thickness")
    assert edited.same_class is not None
    return {
        f"{prefix}rose": change.rose,
        f"{prefix}deviations": change.deviations,
        f"{prefix}same_class": edited.same_class,
    }


def unsupervised(editor: Editor) -> dict[str, Any]:
    """The best R^2 of thickness and slant along a direction found without labels, and that direction's name."""
    method, space = editor.method, editor.space
    found = [
        *principal_directions(method, space, of="images"),
        *principal_directions(method, space, of="coarse"),
        *factorised_directions(method, space),
    ]
    if not space.normal:
        found += principal_directions(method, space, of="points")
    row: dict[str, Any] = {}
    for name in ("thickness", "slant"):
        shares = {direction.name: explained(editor.measured, direction, name) for direction in found}
        best = max(shares, key=lambda one: shares[one])
        row |= {f"{name}_r2": shares[best], f"{name}_by": best}
    return row


def class_arithmetic(editor: Editor) -> dict[str, Any]:
    """Over all pairs of classes: the share of 20 samples of class a that are read as b after b - a was added; and 7 - 1 + 4."""
    assert editor.probe is not None
    if editor.measured.points.labels is not None:  # the class is chosen beside z
        return {"class_reached": "-", "seven_minus_one_plus_four": "-"}
    read = editor.probe.predict(editor.measured.images)
    points, means = editor.measured.points.values, []
    for number in range(10):
        means.append(points[torch.from_numpy(read == number)].mean(0))
    reached: list[float] = []
    for first in range(10):
        chosen = points[torch.from_numpy(np.flatnonzero(read == first)[:20])]
        for last in range(10):
            if first == last or not len(chosen):
                continue
            images = synthesised(editor.method, editor.space, Points(chosen + means[last] - means[first]))
            reached.append(float((editor.probe.predict(images) == last).mean()))
    combined = editor.combine("class:7 - class:1 + class:4")
    return {
        "class_reached": float(np.mean(reached)),
        "seven_minus_one_plus_four": int(editor.probe.predict(np.asarray(combined.images))[-1]),
    }


# --- attributes that only labels know ------------------------------------------------------------------------------------


def transfer(
    run: Run,
    probe: Probe,
    direction: Direction,
    images: np.ndarray,
    target: int,
    strengths: Sequence[float],
    steps: int,
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Given images inverted and moved along a direction: the share that the probe reads as class `target`, beside random
    directions of the same length; and the images at each strength, (k, n, H, W, C)."""
    editor = Editor(run.method)
    inverted = invert(run.method, images, steps=steps, reference=0)
    rows: list[dict[str, Any]] = []
    shown = [images, inverted.images]
    before = float((probe.predict(inverted.images) == target).mean())
    for strength in strengths:
        done = editor.images(inverted.points.with_values(inverted.points.values + direction.step(strength)))
        random = []
        for seed in range(RANDOM):
            other = random_direction(editor.space, direction, seed).step(strength)
            made = editor.images(inverted.points.with_values(inverted.points.values + other))
            random.append(float((probe.predict(made) == target).mean()))
        success = float((probe.predict(np.asarray(done)) == target).mean())
        rows.append(
            {"strength": strength, "before": before, "success": success, "random": float(np.mean(random)),
             "psnr": float(inverted.psnr.mean()), "n": len(images)}
        )  # fmt: skip
        shown.append(np.asarray(done))
    return rows, np.stack(shown)


def mean_difference(run: Run, plus: np.ndarray, minus: np.ndarray) -> Direction:
    """The mean of the encoded points of some images less that of others; strength 1 is the difference itself."""
    a = invert(run.method, plus, steps=0, reference=0).points.values.mean(0)
    b = invert(run.method, minus, steps=0, reference=0).points.values.mean(0)
    length = float((a - b).norm())
    return Direction("difference", "z", (a - b) / length, length, "arithmetic of encoded images")


def faces(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Glasses on people whom neither the direction nor the probe has seen."""
    with np.load(options.data, allow_pickle=False) as content:
        x = content["x"][..., None]
    person, image = np.divmod(np.arange(len(x)), 10)
    glasses = np.array([number in GLASSES.get(int(who), ()) for who, number in zip(person, image, strict=True)])
    woman, held = np.isin(person, WOMEN), np.isin(person, HELD_OUT_PEOPLE)
    run = vae_of(options, folder, "faces", x, 48)
    probe = fit_probe(x[~held], glasses[~held].astype(int), ("none", "glasses"), (x[held], glasses[held].astype(int)))
    direction = mean_difference(run, x[~held & glasses & ~woman], x[~held & ~glasses & ~woman])
    rows: list[dict[str, Any]] = []
    for who, chosen in (("women", held & woman), ("men", held & ~woman & ~glasses)):
        found, shown = transfer(run, probe, direction, x[chosen], 1, STRENGTHS, options.steps)
        rows += [{"edit": f"{who} + glasses", "probe": probe.accuracy, **row} for row in found]
        write_grid(options, f"faces-{who}", shown)
    tell(rows, options)
    return rows


def emoji(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Men made women, and light skin made dark, of emoji that neither the direction nor the probe has seen."""
    with np.load(options.data, allow_pickle=False) as content:
        vendors, names = [content["google"], content["twitter"]], [str(name) for name in content["names"]]
    run = vae_of(options, folder, "emoji", np.concatenate(vendors), 64)
    pairs = pairs_of(names)
    men = np.concatenate([one[[first for first, _ in pairs]] for one in vendors])
    women = np.concatenate([one[[last for _, last in pairs]] for one in vendors])
    held = np.tile(np.arange(len(pairs)) % 4 == 0, len(vendors))
    rows = between_pairs(options, run, men, women, held, ("man", "woman"))
    if options.tones:
        light, dark = toned(options.tones)
        rows += between_pairs(options, run, light, dark, np.arange(len(light)) % 4 == 0, ("light", "dark"))
    tell(rows, options)
    return rows


def between_pairs(
    options: argparse.Namespace, run: Run, first: np.ndarray, last: np.ndarray, held: np.ndarray, names: tuple[str, str]
) -> list[dict[str, Any]]:
    """The mean difference of most pairs, added to the first ones of those that are held out."""
    labels, held_labels = np.repeat([0, 1], int((~held).sum())), np.repeat([0, 1], int(held.sum()))
    probe = fit_probe(
        np.concatenate([first[~held], last[~held]]),
        labels,
        names,
        (np.concatenate([first[held], last[held]]), held_labels),
    )
    direction = mean_difference(run, last[~held], first[~held])
    found, shown = transfer(run, probe, direction, first[held], 1, STRENGTHS, options.steps)
    write_grid(options, f"emoji-{names[0]}", shown)
    return [{"edit": f"{names[0]} to {names[1]}", "probe": probe.accuracy, **row} for row in found]


def toned(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Emoji with the lightest and the darkest skin, uint8 (n, 32, 32, 3) each, on white, from PNG files named by code points."""
    light, dark = [], []
    for path in sorted(folder.glob("*1f3fb*.png")):
        other = path.with_name(path.name.replace("1f3fb", "1f3ff"))
        if other.is_file():
            light.append(small_image(path))
            dark.append(small_image(other))
    return np.stack(light), np.stack(dark)


def small_image(path: Path) -> np.ndarray:
    return fit(to_channels(read_image(path), 3, 255), (32, 32), "stretch", 255)


def pairs_of(names: Sequence[str]) -> list[tuple[int, int]]:
    """The numbers of the emoji of a man and of a woman doing the same."""
    place = {name: number for number, name in enumerate(names)}
    pairs: list[tuple[int, int]] = []
    for name, number in place.items():
        for man, woman in (("man-", "woman-"), ("male-", "female-"), ("male_", "female_"), ("man_", "woman_")):
            if name.startswith(man) and woman + name.removeprefix(man) in place:
                pairs.append((number, place[woman + name.removeprefix(man)]))
        if name.endswith("_man") and name.removesuffix("_man") + "_woman" in place:
            pairs.append((number, place[name.removesuffix("_man") + "_woman"]))
    return sorted(pairs)


def vae_of(options: argparse.Namespace, folder: Path, name: str, images: np.ndarray, z_dim: int) -> Run:
    """A VAE of images, a tenth of them held out."""
    file = folder / f"vae-{name}.npz"
    if not file.is_file():
        np.savez(file, images=images)
    return train_run(
        "vae", open_data(file), folder / f"vae-{name}", minutes=options.minutes or 6, seed=0, preset=None,
        settings={"z_dim": z_dim, "lr": 2e-3},
    )  # fmt: skip


def write_grid(options: argparse.Namespace, name: str, shown: np.ndarray, most: int = 10) -> None:
    """Rows: the images, inverted, and at each strength."""
    if options.grids:
        columns = np.linspace(0, shown.shape[1] - 1, min(most, shown.shape[1])).astype(int)
        images = shown[:, columns]
        write_png(options.grids / f"{name}.png", grid(images.reshape(-1, *images.shape[2:]), columns=images.shape[1]))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, seeds=(0, 1, 2), out="", threads=1)
    parser.add_argument("part", choices=("digits", "faces", "emoji"))
    parser.add_argument("data", nargs="?", type=Path, help="the .npz of faces or emoji")
    parser.add_argument("--methods", nargs="+", default=["vae", "r3gan", "r3gan-classes"], choices=sorted(METHODS))
    parser.add_argument("--minutes", type=float, help="of processor time for each training; default: 2 to 6")
    parser.add_argument("--strength", type=float, default=1.0, help="of thick minus thin")
    parser.add_argument("--truncation", type=float, default=0.7, help="of the second 500 digits")
    parser.add_argument("--steps", type=int, default=200, help="of each inversion")
    parser.add_argument("--inverted", type=int, default=64, help="held-out digits that are inverted")
    parser.add_argument(
        "--tones", type=Path, metavar="DIR", help="emoji: PNG files named by code points, with skin tones"
    )
    parser.add_argument("--grids", type=Path, metavar="DIR", help="write image grids here")
    options = parse(parser, arguments)
    if options.part != "digits" and options.data is None:
        parser.error(f"{options.part} needs its .npz")
    with folder_of(options) as folder:
        rows = {"digits": digits, "faces": faces, "emoji": emoji}[options.part](options, folder)
    finish(options, {**facts(options), "rows": rows})


def digits(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A row for each method and seed, and the means over seeds."""
    rows: list[dict[str, Any]] = []
    table = None
    for name in options.methods:
        for seed in options.seeds:
            rows.append(digits_row(name, seed, folder, options))
            table = table or Table([key.replace("_", " ") for key in rows[-1]], options)
            table.row(*rows[-1].values())
        of_method = [row for row in rows if row["method"] == name]
        if table is not None and len(of_method) > 1:
            table.row(*means_of(of_method).values())
    return rows


def means_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over seeds of what is a number."""
    means: dict[str, Any] = {}
    for key, value in rows[0].items():
        means[key] = "mean" if key == "seed" else value
        if isinstance(value, float):
            mean, spread = mean_and_spread([row[key] for row in rows])
            means[key] = f"{mean:.3g} ± {spread:.2g}"
        elif key not in ("method", "seed"):
            means[key] = ""
    return means


def tell(rows: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """Rows of one kind as a table."""
    table = Table([key.replace("_", " ") for key in rows[0]], options)
    for row in rows:
        table.row(*row.values())


if __name__ == "__main__":
    main()
