"""What files are by their names: sets of suffixes in lower case. Which of them can be read depends on installed extras."""

from __future__ import annotations

# fmt: off
IMAGES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm",
    ".pnm", ".tga", ".avif", ".jp2", ".j2k",
})
HEIC = frozenset({".heic", ".heif", ".hif"})
RAW = frozenset({
    ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw", ".3fr", ".raw",
})
OTHER_IMAGES = frozenset({
    ".psd", ".psb", ".xcf", ".svg", ".svgz", ".eps", ".ai", ".pdf", ".exr", ".hdr", ".ico", ".icns", ".dds", ".qoi", ".pcx",
    ".sgi", ".jxr", ".wdp", ".kra", ".cur", ".emf", ".wmf",
})
WAV = frozenset({".wav", ".wave"})
SOUNDS = WAV | {".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".wma", ".aif", ".aiff"}
VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"})
TEXTS = frozenset({".txt", ".text", ".md"})
TABLES = frozenset({".tsv", ".csv", ".jsonl"})
CATALOGUES = frozenset({".po", ".mo"})
MESHES = frozenset({".obj", ".stl", ".ply"})
VOLUMES = MESHES | {".binvox"}
PARQUET = frozenset({".parquet", ".pq"})
ARRAYS = frozenset({".npz", ".npy"}) | PARQUET
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"})
# fmt: on
