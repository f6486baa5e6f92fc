"""Writes docs/cli.md from the command line's own help, the generated parts of docs/methods/, and README.md's tree.

python tools/make_docs.py            write all
python tools/make_docs.py --check    exit 1 where one of them is stale, and say which
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import typer.main

from ganvas.cli import config, view
from ganvas.cli.main import app
from ganvas.cli.methods import describe, rows_of
from ganvas.data import DataSettings
from ganvas.method import find, method_names
from ganvas.settings import settings_of
from ganvas.tasks import gatys

ROOT = Path(__file__).parent.parent
TREE = "<!-- tree: written by tools/make_docs.py -->", "<!-- end of tree -->"
ROOMS = ("src/ganvas", "examples", "benchmarks", "tools", "docs")
NOTE = "<!-- Written by tools/make_docs.py: change the code, then run `make docs`. -->"
BELOW = "<!-- From here on written by tools/make_docs.py: change the code, then run `make docs`. -->"

JSON = """\
## What --json prints

Exactly one JSON object on stdout; progress goes to stderr. Names stay as they are; more may be added. NaN and
infinities are null.

| command | keys |
| --- | --- |
| `train` | `run`, `method`, `data`, `steps`, `images_seen`, `seconds`, `parameters`, `device`, `precision`, \
`metrics` |
| `train --dry-run` | `dry_run`, `run`, `method`, `preset`, `settings`, `data`, `data_settings`, `seed`, \
`budget`, `device`, `precision`, `why_precision`, `compiled`, `parameters`, `shape`, `count`, `networks` |
| `evaluate` | `run` or `pictures`, `data`, `n`, `metrics` |
| `restore` | `task`, `restored`: a list of `picture`, `files`, `size` and perhaps `sheet`; `problems` |
| `compare` | `data`, `main`, `groups`, `best`, `surroundings`, `settings`, `page` |
| `stylise` | `out`, `network`, `sha256`, `steps`, `seconds`, `losses`, `stopped`, `video`; by a run `out`, `run`, `method`, `seconds` |
| `methods` | `methods`: a list of `name`, `title`, `paper` |
| `methods NAME` | `name`, `title`, `paper`, `about`, `settings`, `presets` |
| `data` | the data sheet (`name`, `source`, `shape`, `counts`, `classes`, `channels`, `duplicates`, \
`problems`, ...), `contact_sheet` |

`metrics` is `{"FD[digits]": {"value", "floor", "n", "better", ...}, "coverage": ..., "precision": ...,
"recall": ..., "density": ..., "modes": ..., "copies": ...}`; `floor` is the same measure of held-out
real pictures, `n` the number of samples."""

ENDS = """\
## How a command ends

| exit code | when |
| --- | --- |
| 0 | it did what was asked |
| 1 | something it needs is missing, damaged or full: one line `error: ...` on stderr |
| 2 | the words of the call are wrong: one line `error: ...` on stderr |
| 130, 143 | after SIGINT (Ctrl-C) and SIGTERM; a training has saved everything and says how to go on |

A traceback is a fault of ganvas, and worth an issue."""


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
    stale = [name for name, text in pages().items() if not _holds(folder / name, text)]
    if stale:
        print(f"stale: {', '.join(stale)}. Run: make docs", file=sys.stderr)
    return int(bool(stale))


def pages() -> dict[str, str]:
    """All pages by path."""
    written = {f"docs/methods/{name}.md": method_page(name) for name in method_names()}
    written["docs/methods/gatys.md"] = gatys_page()
    return {"docs/cli.md": cli_page(), "docs/methods.md": methods_page(), **written, "README.md": readme()}


def readme() -> str:
    """README.md with its tree written anew."""
    before, rest = (ROOT / "README.md").read_text(encoding="utf-8").split(TREE[0])
    return f"{before}{TREE[0]}\n{tree()}\n{TREE[1]}{rest.split(TREE[1])[1]}"


def tree() -> str:
    """One line a file: the first sentence of what it says of itself."""
    lines = []
    for room in ROOMS:
        files = sorted((path for path in (ROOT / room).rglob("*") if path.suffix in (".py", ".md")), key=_by_folder)
        lines += [f"{path.relative_to(ROOT)!s:<44} {line}" for path in files if (line := _first_line(path))]
    return "\n".join(["```", *lines, "```"])


def _by_folder(path: Path) -> tuple[str, str]:
    return str(path.parent), path.name


def _first_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text.splitlines()[0].lstrip("# ")
    said = ast.get_docstring(ast.parse(text)) or ""
    paragraph = said.split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<!\bsec)\. ", paragraph)[0].rstrip(".:")


def cli_page() -> str:
    """Every command with its options, then the forms that scripts may rely on."""
    group: Any = typer.main.get_command(app)
    commands = [_command(name, command) for name, command in group.commands.items()]
    lines, config_file = inspect.cleandoc(view.__doc__ or ""), inspect.cleandoc(config.__doc__ or "")
    keys = [
        (f"`{name}`", known.type_name.replace("|", "or"), known.help)
        for name, known in settings_of(config.Wish).items()
    ]
    parts = [
        f"# The command line\n\n{NOTE}\n\n{group.help}",
        *commands,
        f"## The config file\n\n{config_file}\n\n{table(('key', 'type', 'what it is'), keys)}",
        f"## Settings of the data\n\nBy `--set data.KEY=VALUE`.\n\n{_settings(rows_of(DataSettings))}",
        f"## What a training prints\n\n{lines}",
        JSON,
        ENDS,
    ]
    return "\n\n".join(parts) + "\n"


def methods_page() -> str:
    """Every registered method in a line, with the way to its page."""
    rows = [
        (f"[{name}](methods/{name}.md)", describe(name)["title"], describe(name)["paper"]) for name in method_names()
    ]
    return f"# Methods\n\n{NOTE}\n\n{table(('method', 'what it is', 'paper'), rows)}\n"


def method_page(name: str) -> str:
    """The page of a method: what stands there by hand, then what its file says, settings and presets."""
    place = ROOT / "docs" / "methods" / f"{name}.md"
    by_hand = place.read_text(encoding="utf-8").split(BELOW)[0] if place.exists() else f"# {name}\n\n"
    return f"{by_hand}{BELOW}\n\n{_method(name)}\n"


def gatys_page() -> str:
    """The page of the style transfer that is no method: what stands there by hand, what its file says, settings."""
    place = ROOT / "docs" / "methods" / "gatys.md"
    by_hand = place.read_text(encoding="utf-8").split(BELOW)[0]
    said = inspect.cleandoc(gatys.__doc__ or "")
    settings = _settings(rows_of(gatys.GatysSettings))
    return (
        f"{by_hand}{BELOW}\n\n## What its file says\n\n{said}\n\n## Settings\n\nBy `--set KEY=VALUE`.\n\n{settings}\n"
    )


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _command(name: str, command: Any) -> str:
    rows = [
        (_words(parameter), f"{parameter.help}{_default(parameter)}") for parameter in command.params if parameter.help
    ]
    words = [_place(parameter) for parameter in command.params if _positional(parameter)]
    usage = " ".join(["ganvas", name, *words, "[OPTIONS]"])
    parts = (
        f"## ganvas {name}",
        f"    {usage}",
        inspect.cleandoc(command.help),
        table(("option", "what it does"), rows),
    )
    return "\n\n".join(parts)


def _place(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    return word if parameter.required else f"[{word}]"


def _positional(parameter: Any) -> bool:
    return parameter.param_type_name == "argument"


def _words(parameter: Any) -> str:
    if _positional(parameter):
        return f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if _is_flag(parameter) else f" `{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{word}`" for word in parameter.opts) + value


def _is_flag(parameter: Any) -> bool:
    return getattr(parameter, "is_flag", False)


def _default(parameter: Any) -> str:
    return (
        f" Default: {parameter.default}."
        if parameter.show_default and parameter.default not in (None, "") and not _is_flag(parameter)
        else ""
    )


def _method(name: str) -> str:
    facts = describe(name)
    presets = [
        (
            f"`{row['name']}`",
            " ".join(row["help"].split()),
            ", ".join(f"{key}={value}" for key, value in row["settings"].items()) or "the defaults",
        )
        for row in facts["presets"]
    ]
    said = f"## What its file says\n\n{facts['about']}\n\n{facts['paper']}."
    settings = f"## Settings\n\n{_settings(rows_of(find(name)))}"
    return "\n\n".join([said, settings, f"## Presets\n\n{table(('preset', 'what it is for', 'settings'), presets)}"])


def _settings(rows: list[tuple[str, str, str, str]]) -> str:
    return table(("setting", "default", "allowed", "what it is"), [(f"`{row[0]}`", *row[1:]) for row in rows])


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
