"""The files that commands in README and docs speak of, each as small as it may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganvas.data.media import wav_bytes
from ganvas.data.photo import Photo, write_photo


def make_users_files() -> None:
    """Writes them into the current folder."""
    random = np.random.default_rng(0)

    def photo(*shape: int) -> Photo:
        return Photo(random.uniform(-1, 1, shape).astype(np.float32))

    # Photos, and a mask with a hole.
    places = ("photo.jpg", "painting.jpg", "sketch.png", *(f"PHOTOS/{index}.png" for index in range(24)))
    for name in places:
        write_photo(Path(name), photo(3, 72, 80))
    hole = np.full((1, 72, 80), -1, np.float32)
    hole[:, 20:40, 30:50] = 1
    write_photo(Path("mask.png"), Photo(hole))
    # Images of the size of the built-in digits.
    for folder, count in (("photos", 3), ("scans", 3), ("SAMPLES", 60)):
        for index in range(count):
            write_photo(Path(folder) / f"{index}.png", photo(1, 28, 28))
    # Sound and text.
    for index in range(24):
        place = Path(f"FOLDER_OF_WAV/{index % 2}/{index}.wav")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(wav_bytes(random.integers(-9000, 9000, 3000).astype(np.int16), 8000))
    words = ["the", "cat", "sat", "on", "a", "mat"]
    english, french = ["The", "file", "was", "not", "found"], ["Le", "fichier", "est", "pas", "ici"]
    pairs = set()
    for _ in range(400):
        chosen = random.integers(0, len(english), random.integers(2, 6))
        pairs.add("\t".join(" ".join(side[word] for word in chosen) + "." for side in (english, french)))
    Path("pairs.tsv").write_text("\n".join(sorted(pairs)) + "\n", encoding="utf-8")
    Path("english.txt").write_text("The file was found.\nThe file was not.\n", encoding="utf-8")
    Path("book.txt").write_text(" ".join(random.choice(words, 20_000)), encoding="utf-8")
