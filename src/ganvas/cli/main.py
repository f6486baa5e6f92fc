"""`ganvas ...`: the commands under one name, and what an error looks like.

A mistake of the user gives one line on stderr (`error: ...`) and exit code 1, or 2 if the command line is wrong;
130 and 143 after SIGINT and SIGTERM. Any other exception is a bug of ganvas and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from ganvas import __version__
from ganvas.catalog import catalog
from ganvas.cli import (
    audit,
    augment,
    compare,
    data,
    doctor,
    edit,
    encode,
    evaluate,
    explain,
    export,
    import_weights,
    invert,
    methods,
    push,
    restore,
    sample,
    studio,
    stylise,
    train,
    translate,
)
from ganvas.errors import GanvasError, GanvasWarning, nearest
from ganvas.old_names import read_words
from ganvas.synonyms import command_advice, option_advice
from ganvas.training.environment import environment

app = typer.Typer(
    name="ganvas",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="From a folder of images to a trained, measured and usable generative model.",
    epilog="Start with: ganvas train --data digits",
)
COMMAND_MODULES = {
    train.train: "Train a method on data.",
    sample.sample: "Generate images with a trained run.",
    edit.edit: "Edit images in a latent space.",
    invert.invert: "Find given images in a latent space.",
    encode.encode: "Find the latents of images.",
    encode.decode: "Turn latents back into images.",
    translate.translate: "Translate images to another domain.",
    restore.restore: "Restore images with a trained run.",
    stylise.stylise: "Render a photo in the style of a painting.",
    evaluate.evaluate: "Measure a run, or any images.",
    export.export: "Export a run: ONNX, a web page.",
    audit.audit: "Find copies of training images.",
    augment.augment: "Generate labelled images for a classifier.",
    explain.explain: "Show what happens inside a trained method.",
    compare.compare: "Compare runs on one page.",
    methods.methods: "List the methods, or show one in full.",
    doctor.doctor: "Diagnose a training.",
    push.push: "Share a model on the hub.",
    import_weights.import_weights: "Bring in weights of other projects.",
    data.data: "Show what a data set contains.",
    studio.studio: "Open the studio, a page in the browser.",
}
COMMAND_NAMES = {import_weights.import_weights: "import"}  # of commands whose functions cannot have their names
for command, line in COMMAND_MODULES.items():
    app.command(COMMAND_NAMES.get(command), short_help=line)(command)

# Causes outside of this program, reported in one sentence.
_SURROUNDINGS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ganvas {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command line and exits with its code."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    for stream in (sys.stdout, sys.stderr):  # a file's name need not be UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _own_warnings():
            code = app(read_words(arguments), prog_name="ganvas", standalone_mode=False)
        sys.stdout.flush()
    except GanvasError as error:
        _complain(str(error), quiet=error.exit_code > 128)
        code = error.exit_code
    except typer.TyperException as error:
        _complain(_in_our_words(error))
        code = error.exit_code
    except BrokenPipeError:  # `ganvas methods | head -1`: the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno not in _SURROUNDINGS:
            raise
        _complain(f"{error.filename or 'cannot write the output'}: {error.strerror}")
        code = 1
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        _complain(
            "this needs PyTorch, which is not installed: pip install torch. Without it there are: ganvas sample, translate,"
            " restore and stylise --run, with an .onnx file of ganvas export"
        )
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _own_warnings() -> Iterator[None]:
    """Our own warnings are one line on stderr each, as errors are; all others look as Python shows them."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", GanvasWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, GanvasWarning):
                print(f"warning: {message}", file=sys.stderr, flush=True)
            else:
                shown(message, category, *where, **more)

        warnings.showwarning = show
        yield


def _complain(message: str, *, quiet: bool = False) -> None:
    """Prints one line on stderr. `quiet`: all processes of a training have the same message, so only the first prints it."""
    rank = environment().rank
    if rank and quiet:
        return
    who = f"error (process {rank}):" if rank else "error:"
    if quiet:
        who = ""
    elif sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        who = f"\x1b[1;31m{who}\x1b[0m"
    print(f"{who} {message}".strip(), file=sys.stderr, flush=True)


def _in_our_words(error: typer.TyperException) -> str:
    """The parser's message as a sentence like ours, with the nearest name and where help is."""
    context = getattr(error, "ctx", None)
    help_line = f" (see: {context.command_path} --help)" if context else ""
    option = getattr(error, "option_name", None)
    if option and type(error).__name__ == "NoSuchOption" and context:
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        hint = option_advice(context.info_name, option) or _setting_advice(context.info_name, option)
        return f"unknown option {option}{hint or nearest(option, known)}{help_line}"
    message = error.format_message()
    word = message.partition("'")[2].partition("'")[0]
    if message.startswith("No such command") and context:
        hint = command_advice(word) or nearest(word, context.command.list_commands(context))
        return f"unknown command {word}{hint}{help_line}"
    return message[:1].lower() + message[1:].rstrip(".") + help_line


def _setting_advice(command: str, option: str) -> str:
    """What to give in place of an option of `ganvas train` that is a setting of a method, or of the data."""
    from ganvas.data import DataSettings
    from ganvas.settings import settings_of

    name = option.lstrip("-").replace("-", "_")
    if command != "train":
        return ""
    if any(name == one["name"] for facts in catalog().values() for one in facts["settings"]):
        return f"; use `--set {name}=VALUE`"
    return f"; use `--set data.{name}=VALUE`" if name in settings_of(DataSettings) else ""
