"""Every fenced block of README.md and docs/ runs, at tiny size: the blocks of a page one after the other, in one folder.

Trainings take two steps of the preset `tiny`, and measures few samples (`TINY`); the preset that the page names must exist.
Commands run in this process. What cannot run here is in NOT_RUN with its reason, and parsed: its options must exist. A block
in a language that is not known here fails, so none is passed over in silence.
"""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import shutil
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer.main

import ganvas
from films import bar, write_film
from foreign_networks import write_tfjs
from ganvas import registry
from ganvas.cli.main import app, main
from ganvas.data import write_png
from ganvas.data.kinds import volumes
from ganvas.metrics import probe, solids
from ganvas.tasks import directions, editor
from tiny import tiny_train
from users_files import make_users_files

ROOT = Path(__file__).parent.parent
SIGNATURES = (
    ROOT / "docs" / "reference" / "api.md"
)  # written by tools/make_docs.py, whose test compares it with the code
TRAINING = {"--preset": "tiny", "--steps": "2", "--device": "cpu", "--precision": "fp32"}
BUDGET = ("--minutes", "--images")

# Options that are put in place of a page's own, or added, by command.
TINY: dict[str, dict[str, str]] = {
    "evaluate": {"--samples": "50"},
    "invert": {"--steps": "2"},
}
# Words of a command and the smaller ones in their place.
SMALLER_WORDS = {
    "data.size=256": "data.size=64",
    "1000": "20",
    "--keep class": "--keep slant",  # ten classes are more than the latent of `tiny` has dimensions
}
# The same in Python.
SMALLER_CODE = {
    "per_class=200": "per_class=5, check=False",
    "seeds=5": "seeds=2, steps=2",
}

# What commands take many of, and how many do here.
SMALLER_COUNTS = (
    (editor, "POINTS", 200),
    (directions, "POINTS", 200),
    (directions, "EFFECT_IMAGES", 16),
    (probe, "MAX_PROBE_IMAGES", 500),
    (solids, "MAX_SOLIDS", 20),
    (volumes, "TURN_FRAMES", 4),
)

# The start of a command, and why it is only parsed.
NOT_RUN: dict[str, str] = {
    "ganvas --install-completion": "changes the start-up files of the user's shell",
    "ganvas studio": "serves until it is stopped; tests/studio runs it",
    "ganvas edit runs/vae --arithmetic": "needs samples of every class, so minutes of training; tests/tasks/test_arithmetic.py",
    "ganvas edit runs/vae --direction one_to_seven": "a direction of --arithmetic",
    "ganvas push runs/digits ada/digits-gan --licence cc-by-4.0": "needs a hub; tests/hub runs it against one",
    "ganvas sample hf:": "needs a hub; tests/hub runs it against one",
    "ganvas train r3gan --data digits --out runs/two --nproc 2": "several processes; tests/distributed runs them",
    "ganvas export": "seconds of tracing each; tests/export runs them",
    "ganvas sample digits.onnx": "the file that was not exported",
    "ganvas restore upscaler.onnx": "the file that was not exported",
    "ganvas explain": "seconds for each layer; tests/cli/test_explain.py runs it",
    "ganvas audit runs/digits": "compares with all digits; tests/cli/test_audit.py runs it on less data",
    "ganvas augment digits --evaluate": "trains dozens of classifiers; tests/cli/test_augment.py runs it on less data",
    "pip install": "needs a network",
    "make ": "sets up a machine, or takes minutes",
    "docker ": "needs docker",
    "torchrun ": "several machines",
    "srun torchrun ": "several machines",
    "first=$(scontrol ": "asks Slurm",
    "tensorboard --logdir": "serves until it is stopped",
    "python benchmarks/": "takes minutes; tests/benchmarks runs them",
    "ganvas train r3gan --data digits --log-to tensorboard": "an extra; tests/training/test_loggers.py runs it",
}
# Words of a block of Python, and why it is only compiled.
PYTHON_NOT_RUN: dict[str, str] = {
    ".audit(count=": "compares with all digits; tests/tasks/test_audit.py runs it on less data",
    'from_pretrained("ada/digits-gan")': "needs a hub; tests/hub runs it against one",
    'open_model("digits.onnx")': "the file that was not exported; tests/export runs it",
    ".explain(units=": "seconds for each layer; tests/tasks/test_explain.py runs it",
}

# Runs that a page takes as given: how they are trained.
RUNS: dict[str, str] = {
    "classes": "r3gan --data digits --set conditional=true",
    "dcgan-0": "dcgan --data digits",
    "dcgan-digits": "dcgan --data digits",
    "digits": "r3gan --data digits",
    "infogan": "infogan --data digits",
    "r3gan-0": "r3gan --data digits",
    "r3gan-1": "r3gan --data digits --seed 1",
    "style": "stylegan2 --data digits",
    "vae": "vae --data digits",
}


class Block(NamedTuple):
    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks; those inside of lists are indented."""
    found = re.findall(r"^( *)```([^\n]*)\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(found), "a fence that this test cannot read"
    return [Block(language.strip(), textwrap.dedent(text)) for _, language, text in found]


def commands_of(block: Block) -> list[str]:
    """The commands of a shell block in one line each, without comments; of a `console` block those after the prompt."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_BLOCKS = [page for page in PAGES if page != SIGNATURES and blocks_of(page)]
SHELL = ("sh", "console")


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# --- at tiny size -----------------------------------------------------------------------------------------------------------


def with_options(words: list[str], options: dict[str, str]) -> list[str]:
    """The words with these options in place of their own."""
    return [*without_options(words, options), *(word for pair in options.items() for word in pair)]


def without_options(words: list[str], options: Any) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip or word in options:
            skip = not skip
            continue
        kept.append(word)
    return kept


def tiny(line: str) -> list[str]:
    """The words of a `ganvas` command, made small."""
    for large, small in SMALLER_WORDS.items():
        line = re.sub(rf"(?<=\s){re.escape(large)}(?=\s|$)", small, line)
    command, *words = words_of(line)[1:]
    if command == "train":
        if "--dry-run" not in words and "--resume" not in words:
            samples = "50" if "digits" in words else "0"  # measuring by the digit network is fast
            words = with_options(without_options(words, BUDGET), {**TRAINING, "--samples": samples})
    elif command == "stylise" and "--run" not in words:
        words += ["--network", "digits", "--set", "steps=2"]  # the other feature networks are not in the package
    elif command == "augment":  # without the classifier that looks at each image
        tiny_generator = {} if "--with" in words else {"--steps": "2", "--preset": "tiny"}
        words = [*with_options(words, {"--per-class": "5", "--device": "cpu", **tiny_generator}), "--no-check"]
    elif command == "edit" and "--find" in words:
        words += ["--how", "pca"]
    else:
        words = with_options(words, TINY.get(command, {}))
    return [command, *words]


Trained = Callable[[list[str], Path], None]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """`trained(words, out)`: the run of `ganvas train ...` in `out`; pages that train the same way share one training."""
    folder = tmp_path_factory.mktemp("runs")
    places: dict[tuple[str, ...], Path] = {}

    def train(words: list[str], out: Path) -> None:
        key = tuple(words)
        if key not in places:
            place = folder / str(len(places))
            run([*words, "--out", str(place)])
            places[key] = place
        shutil.copytree(places[key], out)

    return train


def run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert not end.value.code, f"ganvas {shlex.join(words)}"


class Page:
    """The blocks of one page, run in the current folder."""

    def __init__(self, page: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page = page
        self.trained = trained
        self.names: dict[str, Any] = NAMES.get(page_id(page), dict)()
        monkeypatch.setattr(ganvas, "train", tiny_train)
        for module, name, count in SMALLER_COUNTS:
            monkeypatch.setattr(module, name, count)

    def run(self, block: Block) -> None:
        if block.language in SHELL:
            for line in commands_of(block):
                self.run_command(line)
        elif block.language == "python":
            self.run_python(block.text)
        else:
            assert block.language == "text", f"a block in {block.language or 'no language'}: {block.text[:200]}"
            starts = tuple(f"{word} " for word in ("$", "ganvas", *PARSERS))
            commands = [line for line in block.text.splitlines() if line.startswith(starts)]
            assert not commands, "commands belong into a block of sh"

    def run_command(self, line: str) -> None:
        if reason_not_to_run(line):
            parse(line)
            return
        words = words_of(line)
        assert words[0] == "ganvas", f"neither run nor in NOT_RUN: {line}"
        parse(line)
        words = tiny(line)
        out = words[words.index("--out") + 1] if "--out" in words else None
        for word in words:
            if word.startswith("runs/") and word != out:
                self.bring(word)
        if words[0] == "train" and out is not None:
            self.trained(without_options(words, ("--out",)), Path(out))
        else:
            run(words)

    def run_python(self, code: str) -> None:
        compiled = compile(code, page_id(self.page), "exec")
        if any(words in code for words in PYTHON_NOT_RUN):
            imports = [line for line in code.splitlines() if line.startswith(("import ", "from "))]
            exec("\n".join(imports), {})
            return
        for large, small in SMALLER_CODE.items():
            code = code.replace(large, small)
        compiled = compile(code, page_id(self.page), "exec")
        made = set(re.findall(r'\bout="(runs/[\w-]+)"', code))
        for name in set(re.findall(r'\bload\("(runs/[\w-]+)"\)', code)) - made:
            self.bring(name)
        exec(compiled, self.names)

    def bring(self, name: str) -> None:
        """A run that the page takes as given, into the current folder."""
        if not Path(name).exists():
            assert Path(name).name in RUNS, f"{name} is made neither by the page nor in RUNS"
            self.trained(tiny(f"ganvas train {RUNS[Path(name).name]}"), Path(name))


def names_of_data() -> dict[str, Any]:
    """What docs/guides/data.md calls array, images, labels, paths; and stand-ins for the libraries that it names."""
    images = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3)).astype(np.uint8)
    labels = [number % 3 for number in range(60)]
    pairs = list(zip(images, labels, strict=True))
    torchvision = SimpleNamespace(datasets=SimpleNamespace(SVHN=lambda root: pairs))
    datasets = SimpleNamespace(load_dataset=lambda name: {"train": pairs, "test": pairs[:20]})
    paths = sorted(Path("PHOTOS").iterdir())
    return {
        "array": images, "images": images, "labels": labels, "paths": paths, "torchvision": torchvision, "datasets": datasets,
    }  # fmt: skip


def samples_file() -> dict[str, Any]:
    """The samples.npz of docs/guides/audit.md, of the size of the photos, and as many photos as an audit needs. No names."""
    images = np.random.default_rng(0).integers(0, 256, (130, 72, 80, 3)).astype(np.uint8)
    np.savez("samples.npz", images=images[:50])
    for number, image in enumerate(images[50:]):
        write_png(Path(f"PHOTOS/more/{number}.png"), image)
    return {}


# What a page takes as given beside the files of `files` and RUNS.
NAMES: dict[str, Callable[[], dict[str, Any]]] = {
    "docs/guides/audit.md": samples_file,
    "docs/guides/data.md": names_of_data,
}


# --- parsing ----------------------------------------------------------------------------------------------------------------


@functools.cache
def command_line() -> Any:
    return typer.main.get_command(app)


def parse_ganvas(words: list[str]) -> None:
    """The command, its options and their types; of a training the preset too."""
    if words == ["--install-completion"]:
        return
    context = command_line().commands[words[0]].make_context(words[0], list(words[1:]))
    if words[0] == "train" and context.params["method"]:
        registry.create(context.params["method"], context.params["preset"])


def parse_pip(words: list[str]) -> None:
    """Extras of ganvas exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"ganvas\[(\w+)\]", " ".join(words)):
        assert extra in project["optional-dependencies"]


def parse_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\n{words[0]}: " in makefile


def parse_docker(words: list[str]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    if words[0] == "build":
        for argument in (words[index + 1] for index, word in enumerate(words) if word == "--build-arg"):
            assert f"ARG {argument.partition('=')[0]}" in dockerfile
    else:
        assert words[0] == "run" and "ENTRYPOINT" in dockerfile
        parse_ganvas(words[words.index("ganvas") + 1 :])


def parse_torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    asked: argparse.Namespace = get_args_parser().parse_args(words)
    assert asked.module and asked.training_script == "ganvas"
    parse_ganvas([re.sub(r"^\$\w+$", "name", word) for word in asked.training_script_args])


def parse_python(words: list[str]) -> None:
    """The script exists and names these options."""
    script = (ROOT / words[0]).read_text(encoding="utf-8") + (ROOT / "benchmarks" / "common.py").read_text(
        encoding="utf-8"
    )
    assert all(f'"{word}"' in script for word in words[1:] if word.startswith("--"))


def parse_nothing(words: list[str]) -> None:
    """A program of others."""


PARSERS: dict[str, Callable[[list[str]], None]] = {
    "ganvas": parse_ganvas,
    "pip": parse_pip,
    "make": parse_make,
    "docker": parse_docker,
    "torchrun": parse_torchrun,
    "srun": lambda words: parse_torchrun(words[1:]),
    "python": parse_python,
    "tensorboard": parse_nothing,
    "first=$(scontrol": parse_nothing,
}


def parse(line: str) -> None:
    program, *words = words_of(line)
    try:
        PARSERS[program](words)
    except (Exception, SystemExit) as error:
        pytest.fail(f"{line}: {error!r}")


def reason_not_to_run(line: str) -> str | None:
    return next((reason for start, reason in NOT_RUN.items() if line.startswith(start)), None)


# --- the tests --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages name."""
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        make_users_files()
    write_tfjs(folder / "package/models/x4", 4)
    for name in ("film.mp4", "films/one.mp4", "films/two.mp4"):
        write_film(folder / name, bar(240))
    return folder


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=page_id)
def test_page(page: Path, files: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(files, Path.cwd(), dirs_exist_ok=True)
    at_work = Page(page, trained, monkeypatch)
    for block in blocks_of(page):
        at_work.run(block)


def every_line() -> Iterator[str]:
    for page in WITH_BLOCKS:
        for block in blocks_of(page):
            if block.language in SHELL:
                yield from commands_of(block)


def test_nothing_is_excused_that_no_page_has() -> None:
    lines = list(every_line())
    assert all(any(line.startswith(start) for line in lines) for start in NOT_RUN)
    code = [block.text for page in WITH_BLOCKS for block in blocks_of(page) if block.language == "python"]
    assert all(any(words in text for text in code) for words in PYTHON_NOT_RUN)
    used = " ".join([*lines, *code])
    assert all(f"runs/{name}" in used for name in RUNS)
    assert all(small in used for small in (*SMALLER_WORDS, *SMALLER_CODE))


@pytest.mark.parametrize(
    "block",
    [
        Block("", "ganvas methods"),
        Block("yaml", "a: 1"),
        Block("text", "ganvas methods"),
        Block("sh", "frobnicate --all"),
        Block("sh", "ganvas sample runs/digits --nn 3"),
        Block("sh", "ganvas train r3gan --data digits --preset smal"),
        Block("sh", "ganvas sample runs/unknown"),
        Block("sh", "ganvas train r3gan --data no_such_folder"),
        Block("sh", 'pip install "ganvas[nothing]"'),
        Block("sh", "make nothing"),
        Block("python", "import ganvas\n\nganvas.nothing()"),
    ],
)
def test_what_is_wrong_fails(block: Block, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, AttributeError, pytest.fail.Exception)):
        Page(ROOT / "README.md", trained, monkeypatch).run(block)
