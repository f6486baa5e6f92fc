"""Writes the generated pages: docs/reference/, docs/methods/index.md and the lower part of each docs/methods/NAME.md.

python tools/make_docs.py            write all
python tools/make_docs.py --check    exit 1 where one of them is stale, and say which
"""

from __future__ import annotations

import argparse
import html
import importlib
import importlib.util
import inspect
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main

from ganvas import catalog
from ganvas.abilities import Samples
from ganvas.cli import config, view
from ganvas.cli.main import app
from ganvas.cli.methods import rows_of
from ganvas.data import DataSettings, DataSpec
from ganvas.registry import create, describe, find, method_names
from ganvas.settings import as_text, settings_of
from ganvas.tasks import gatys
from ganvas.training.config import TrainConfig

ROOT = Path(__file__).parent.parent
SOURCE = "https://github.com/ganvas/ganvas/blob/main/"
NOTE = "<!-- Written by tools/make_docs.py: change the code, then run `make docs`. -->"
BELOW = "<!-- From here on written by tools/make_docs.py: change the code, then run `make docs`. -->"


@dataclass(frozen=True)
class Entry:
    """What the gallery says of something that is no registered method."""

    title: str
    paper: str


GATYS = Entry(
    "style transfer by optimising the image itself, without training",
    "Gatys et al. 2015, A Neural Algorithm of Artistic Style, arXiv:1508.06576",
)

# The gallery's groups in order. A test asks that every method is in exactly one of them.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "GANs": (
        "A generator against a discriminator. Start with `mgan`, the default. All of them train on the same data and take"
        " augmentation (`--set augment=ada`); `cgan` learns classes, and `mgan`, `dcgan`, `r3gan`, `stylegan2` and `lapgan`"
        " do with `--set conditional=true`. Their figures are in [one table](../experiments/gan_table.md).",
        (
            "mgan", "dcgan", "r3gan", "hinge_sn", "wgan_gp", "lsgan", "wgan", "gan", "cgan", "infogan", "pacgan",
            "lapgan", "gran", "stylegan2",
        ),
    ),
    "Autoencoders": ("Images to latents or codes and back.", ("vae", "vae_gan", "vq_vae")),
    "Flows": ("A vector field from noise to images.", ("flow_matching",)),
    "Autoregressive models": (
        "One pixel, code, audio sample or token after the other, each with an exact likelihood.",
        ("pixelcnn", "code_prior", "wavenet", "rnn_text"),
    ),
    "Videos": ("Clips of a fixed number of frames.", ("mocogan", "vgan")),
    "Volumes": ("Shapes in three dimensions, on a grid of voxels.", ("gan3d", "vae3d")),
    "Adversarial text": ("Text from a generator that learns from a discriminator.", ("seqgan", "relgan")),
    "Translation of texts": ("Sentences into another language, from pairs of them.", ("seq2seq",)),
    "Image to image": (
        "Translation between two kinds of images, and restoration of degraded ones.",
        ("pix2pix", "cyclegan", "srresnet", "srgan", "denoise", "inpaint"),
    ),
    "Style transfer": ("A photo in the style of a painting.", ("gatys", "fast_style", "adain")),
}  # fmt: skip

# The Python reference: (heading, module, its public names; none means __all__).
API: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Training, runs and methods", "ganvas", ()),
    ("Data", "ganvas.data", ()),
    ("Metrics", "ganvas.metrics", ()),
    ("Photos", "ganvas.data.photo", ("Photo", "read_photo", "write_photo", "as_photo")),
    ("Tasks", "ganvas.tasks", ()),
    ("Tasks: the parts of edit", "ganvas.tasks.edit", ("traverse", "interpolate")),
    ("Tasks: settings of stylise", "ganvas.tasks.gatys", ("GatysSettings",)),
    ("Doctor", "ganvas.doctor", ()),
    ("Reports", "ganvas.report", ()),
    ("Sharing: the parts of push", "ganvas.hub", ()),
    ("Weights of other projects", "ganvas.foreign", ("import_weights",)),
)

JSON = """\
## What --json prints

Exactly one JSON object on stdout; progress goes to stderr. Keys are stable; new ones may be added. NaN and
infinities are null.

| command | keys |
| --- | --- |
| `train` | `run`, `method`, `data`, `steps`, `images_seen`, `seconds`, `parameters`, `device`, `precision`, \
`metrics` |
| `train --dry-run` | `dry_run`, `run`, `method`, `preset`, `settings`, `data`, `data_settings`, `seed`, \
`budget`, `device`, `precision`, `why_precision`, `compiled`, `parameters`, `shape`, `count`, `networks` |
| `evaluate` | `run` or `images`, `data`, `n`, `metrics` |
| `restore` | `task`, `restored`: a list of `image`, `files`, `size` and perhaps `grid`; `problems` |
| `translate` | `direction`, `translated`, `problems` |
| `edit` | `done`, `out`, `directions`: a list of `name`, `space`, `how`, `share`, `scale`, `effects`; `changes`: a list of \
`attribute`, `unit`, `before`, `change`, `deviations`, `rose`, `fell`, `asked`; `same_class`; with IMAGES `edited` |
| `invert` | `out`, `space`, `how`, `features`, `images`: a list of `image`, `psnr`, `feature_distance`; their means `psnr`, \
`feature_distance`, and `reference_psnr`, `reference_distance` |
| `doctor` | `run`, `healthy`, `findings`: a list of `name`, `confidence`, `evidence`, `change`, ... |
| `compare` | `data`, `main`, `groups`, `best`, `surroundings`, `settings`, `page` |
| `stylise` | `out`, `network`, `sha256`, `steps`, `seconds`, `losses`, `stopped`, `video`; with a run `out`, `run`, \
`method`, `seconds` |
| `import` | `run`, `method`, `sha256` |
| `push` | `name`, `url`, `revision`; with --out `name`, `folder` |
| `methods` | `start`, `methods`: a list of `name`, `title`, `paper`, `for`, `takes`, `abilities`, `classes`, `presets` |
| `methods NAME` | `name`, `title`, `paper`, `about`, `takes`, `abilities`, `settings`, `presets`, `classes`, ... |
| `data` | the data card (`name`, `source`, `shape`, `counts`, `classes`, `channels`, `duplicates`, \
`problems`, ...), `example_grid` |

`metrics` is `{"FD[digits]": {"value", "reference", "n", "better", ...}, "coverage": ..., "precision": ...,
"recall": ..., "density": ..., "modes": ..., "copies": ...}`; `reference` is what held-out real images score
by the same metric, and `n` the number of samples."""

ENDS = """\
## Exit codes

| exit code | meaning |
| --- | --- |
| 0 | success |
| 1 | something it needs is missing, damaged or full: one line `error: ...` on stderr |
| 2 | wrong arguments: one line `error: ...` on stderr |
| 130, 143 | stopped by SIGINT (Ctrl-C) or SIGTERM; a training has saved its state and prints the command that resumes it |

A traceback is a bug in ganvas: please report it."""


def main() -> None:
    """Writes or checks all pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is stale")
    if parser.parse_args().check:
        sys.exit(check(ROOT))
    for name, text in pages().items():
        (ROOT / name).write_text(text, encoding="utf-8")


def check(folder: Path) -> int:
    """1 where a page in `folder` is not what would be written, else 0."""
    stale = [name for name, text in pages().items() if not _is_current(folder / name, text)]
    if stale:
        print(f"stale: {', '.join(stale)}. Run: make docs", file=sys.stderr)
    return int(bool(stale))


def pages() -> dict[str, str]:
    """All generated pages by path."""
    written = {"docs/reference/cli.md": cli_page(), "docs/reference/api.md": api_page()}
    written["docs/methods/index.md"] = gallery_page()
    for name in method_names():
        written[f"docs/methods/{name}.md"] = method_page(name)
    written["docs/methods/gatys.md"] = gatys_page()
    written[f"src/ganvas/{catalog.CATALOG_FILE}"] = catalog_text()
    if importlib.util.find_spec("starlette"):  # an optional package
        written["docs/reference/studio-openapi.json"] = openapi_text()
    return written


def openapi_text() -> str:
    """The studio's API as an OpenAPI file."""
    from ganvas.studio.openapi import openapi
    from ganvas.studio.server import endpoints

    return json.dumps(openapi(endpoints()), indent=1) + "\n"


# --- the catalogue of the package -------------------------------------------------------------------------------------


def catalog_text() -> str:
    """What src/ganvas/catalog.json holds: every method in the order of the gallery, so that a command needs no torch to list
    them."""
    methods = []
    for name in _all_names():
        if name != "gatys":
            methods.append({**describe(name), "classes": classes_of(name)})
    note = "Written by tools/make_docs.py: change the code, then run `make docs`."
    lines = ",\n".join(json.dumps(facts) for facts in methods)
    return f'{{"note": "{note}", "methods": [\n{lines}\n]}}\n'


def classes_of(name: str) -> str:
    """Whether a method that samples images is conditioned on classes: "yes", by its setting "conditional", or "no"."""
    method = create(name, "tiny")
    if not isinstance(method, Samples) or "images" not in method.takes:
        return "conditional" if "conditional" in method.settings() else "no"
    if "conditional" in method.settings():
        return "conditional"
    method.build(DataSpec("labelled", 1, 28, 28, count=100, classes=("a", "b"), total_variance=100.0))
    return "no" if method.labels([0]) is None else "yes"


# --- methods --------------------------------------------------------------------------------------------------------


def gallery_page() -> str:
    """Every method in its group: an image that it made, its name and a line."""
    parts = [
        f"# Methods\n\n{NOTE}\n\n"
        "Each method is one paper, one file of source and one page: the idea, an image that it made, when to use it,"
        " what fails, and all its settings. `ganvas methods` prints this list, `ganvas methods NAME` one of them."
    ]
    for group, (about, names) in GROUPS.items():
        cards = "\n\n".join(_card(name) for name in names)
        parts.append(f'## {group}\n\n{about}\n\n<div class="gallery" markdown>\n\n{cards}\n\n</div>')
    parts.append(f"## Papers\n\n{table(('method', 'paper'), [_paper_row(name) for name in _all_names()])}")
    return "\n\n".join(parts) + "\n"


def method_page(name: str) -> str:
    """The page of a method: the part written by hand, then a link to its source, its settings and its presets."""
    facts = describe(name)
    presets = []
    for preset in facts["presets"]:
        changed = [f"{key}={as_text(value)}" for key, value in preset["settings"].items()]
        presets.append((f"`{preset['name']}`", " ".join(preset["help"].split()), ", ".join(changed) or "the defaults"))
    parts = [
        _source_section(find(name), facts["paper"]),
        f"## Settings\n\nSet with `--set KEY=VALUE`.\n\n{_settings(rows_of(find(name)))}",
        f"## Presets\n\nChosen with `--preset NAME`.\n\n{table(('preset', 'what it is for', 'settings'), presets)}",
    ]
    return f"{_written_by_hand(name)}{BELOW}\n\n" + "\n\n".join(parts) + "\n"


def gatys_page() -> str:
    """The page of the style transfer that is a task and no method."""
    parts = [
        _source_section(gatys, GATYS.paper),
        f"## Settings\n\nSet with `--set KEY=VALUE`.\n\n{_settings(rows_of(gatys.GatysSettings))}",
    ]
    return f"{_written_by_hand('gatys')}{BELOW}\n\n" + "\n\n".join(parts) + "\n"


def _all_names() -> list[str]:
    return [name for _, names in GROUPS.values() for name in names]


def _entry(name: str) -> Entry:
    if name == "gatys":
        return GATYS
    facts = describe(name)
    return Entry(facts["title"], facts["paper"])


def _card(name: str) -> str:
    return (
        f'<div class="card" markdown>\n[![{name}]({_first_image(name)})]({name}.md)\n\n'
        f"**[{name}]({name}.md)**<br>{_entry(name).title}\n</div>"
    )


def _first_image(name: str) -> str:
    """The first image of a method's page, as a path from docs/methods."""
    images = re.findall(r"!\[[^]]*\]\(([^)]+\.png)\)", _written_by_hand(name))
    if not images:
        raise SystemExit(
            f"docs/methods/{name}.md shows no image: add one that the method made, ![what it is](PATH.png)"
        )
    return images[0]


def _paper_row(name: str) -> tuple[str, str]:
    return f"[{name}]({name}.md)", _linked(_entry(name).paper)


def _source_section(owner: Any, paper: str) -> str:
    return (
        f"## Source\n\n[{_path_of(owner)}]({SOURCE}{_path_of(owner)}): the losses with their equation numbers, and where"
        f" the implementation departs from the paper.\n\n{_linked(paper)}."
    )


def _path_of(owner: Any) -> str:
    """The file that defines a class or module, from the root of the repository."""
    return Path(inspect.getsourcefile(owner) or "").resolve().relative_to(ROOT.resolve()).as_posix()


def _linked(paper: str) -> str:
    """With a link for every arXiv number."""
    return re.sub(r"arXiv:([\w./-]*\w)", r"[arXiv:\1](https://arxiv.org/abs/\1)", paper)


def _written_by_hand(name: str) -> str:
    page = ROOT / "docs" / "methods" / f"{name}.md"
    return page.read_text(encoding="utf-8").split(BELOW)[0] if page.exists() else f"# {name}\n\n"


# --- the command line -----------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command with its options, then the formats that scripts may rely on."""
    group: Any = typer.main.get_command(app)
    commands = [_command(name, command) for name, command in group.commands.items()]
    config_keys = [
        (f"`{name}`", known.type_name.replace("|", "or"), known.help)
        for name, known in settings_of(TrainConfig).items()
    ]
    parts = [
        f"# Command line\n\n{NOTE}\n\n{group.help}",
        *commands,
        f"## The config file\n\n{inspect.cleandoc(config.__doc__ or '')}\n\n"
        f"{table(('key', 'type', 'what it is'), config_keys)}",
        f"## Settings of the data\n\nSet with `--set data.KEY=VALUE`.\n\n{_settings(rows_of(DataSettings))}",
        f"## What a training prints\n\n{inspect.cleandoc(view.__doc__ or '')}",
        JSON,
        ENDS,
    ]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> str:
    rows = []
    for parameter in command.params:
        if parameter.help:
            rows.append((_option(parameter), f"{parameter.help}{_default(parameter)}"))
    arguments = [_argument(parameter) for parameter in command.params if _is_argument(parameter)]
    usage = " ".join(["ganvas", name, *arguments, "[OPTIONS]"])
    parts = (
        f"## ganvas {name}",
        f"    {usage}",
        inspect.cleandoc(command.help),
        table(("option", "what it does"), rows),
    )
    return "\n\n".join(parts)


def _argument(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    return word if parameter.required else f"[{word}]"


def _is_argument(parameter: Any) -> bool:
    return parameter.param_type_name == "argument"


def _option(parameter: Any) -> str:
    metavar = parameter.metavar or parameter.name.upper()
    if _is_argument(parameter):
        return f"`{metavar}`"
    flags = ", ".join(f"`{flag}`" for flag in parameter.opts)
    return flags if _is_flag(parameter) else f"{flags} `{metavar}`"


def _is_flag(parameter: Any) -> bool:
    return getattr(parameter, "is_flag", False)


def _default(parameter: Any) -> str:
    if not parameter.show_default or parameter.default in (None, "") or _is_flag(parameter):
        return ""
    return f" Default: {parameter.default}."


# --- the Python interface -------------------------------------------------------------------------------------------


def api_page() -> str:
    """The public names with their signatures and docstrings."""
    parts = [
        f"# Python\n\n{NOTE}\n\n"
        "The public names. `import ganvas` is light: torch is imported when a name is first used. An error that a user"
        " can cause derives from `ganvas.GanvasError`."
    ]
    documented = set()
    for heading, module_name, names in API:
        module = importlib.import_module(module_name)
        parts.append(f"## {heading}\n\n`{module_name}`: {_summary(module)}")
        for name in names or module.__all__:
            # `ganvas` repeats names of its packages; each is documented where it comes first.
            if not name.startswith("_") and name not in documented:
                parts.append(_documented(name, getattr(module, name)))
                documented.add(name)
    return "\n\n".join(parts) + "\n"


def _summary(module: Any) -> str:
    """The first paragraph of a module's docstring, without the package's own name."""
    return inspect.cleandoc(module.__doc__ or "").split("\n\n")[0].removeprefix("ganvas: ")


def _documented(name: str, value: Any) -> str:
    """A section for one public name."""
    if inspect.isclass(value):
        return "\n\n".join([_callable(f"### {name}", f"class {name}", value, value.__doc__), *_members(value)])
    if inspect.isfunction(value):
        return _callable(f"### {name}", name, value, value.__doc__)
    return f"### {name}\n\nA constant of type `{type(value).__name__}`."


def _members(owner: type) -> list[str]:
    """The public methods and properties that a class defines itself and documents."""
    sections = []
    for name, value in vars(owner).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property) and value.__doc__:
            sections.append(f"**`{owner.__name__}.{name}`** (property)\n\n{_as_markdown(value.__doc__)}")
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function) and function.__doc__:
            sections.append(_callable("", f"{owner.__name__}.{name}", function, function.__doc__))
    return sections


def _callable(heading: str, name: str, value: Any, docstring: str | None) -> str:
    code = f"```python\n{name}{_signature(value)}\n```"
    text = _as_markdown(docstring)
    # The docstring that dataclasses make up is the signature once more.
    if text.startswith(f"{getattr(value, '__name__', '')}("):
        text = ""
    return "\n\n".join(part for part in (heading, code, text) if part)


def _as_markdown(docstring: str | None) -> str:
    """A docstring whose paragraphs in columns (`name   what it is`) stay in columns."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    for index, paragraph in enumerate(paragraphs):
        lines = paragraph.splitlines()
        if len(lines) > 1 and all(re.match(r"\S+ {3,}\S| {8,}\S", line) for line in lines):
            paragraphs[index] = "\n".join(f"    {line}" for line in lines)
    return "\n\n".join(paragraphs)


def _signature(value: Any) -> str:
    """As written in the source, one parameter a line where it is long."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    words = []
    for name, parameter in signature.parameters.items():
        if name == "self" or name.startswith("_"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words and not _has_star(words):
            words.append("*")
        words.append(_parameter(parameter))
    returned = signature.return_annotation
    arrow = "" if returned in (signature.empty, None, "None") or inspect.isclass(value) else f" -> {_type(returned)}"
    line = f"({', '.join(words)}){arrow}"
    if len(line) <= 80:
        return line
    return "(\n" + "".join(f"    {word},\n" for word in words) + f"){arrow}"


def _has_star(words: list[str]) -> bool:
    return any(word.startswith("*") and not word.startswith("**") for word in words)


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{stars}{parameter.name}"
    if parameter.annotation is not parameter.empty:
        text += f": {_type(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = repr(parameter.default)
    return f"{text} = {'...' if default.startswith('<') else default}"


def _type(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return getattr(annotation, "__name__", str(annotation))


# --- Markdown -------------------------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = []
    for row in (head, tuple("---" for _ in head), *rows):
        lines.append(f"| {' | '.join(_cell(text) for text in row)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """With its pipes escaped. Readers of Markdown disagree about a pipe in a code span, but not about HTML."""
    text = re.sub(r"`([^`]*\|[^`]*)`", lambda code: f"<code>{html.escape(code[1])}</code>".replace("|", "&#124;"), text)
    return text.replace("|", "\\|")


def _settings(rows: list[tuple[str, str, str, str]]) -> str:
    return table(("setting", "default", "allowed", "what it is"), [(f"`{row[0]}`", *row[1:]) for row in rows])


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
