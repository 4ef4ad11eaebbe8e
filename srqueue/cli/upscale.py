"""`srqueue upscale`: use an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def upscale(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An exported .safetensors file.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to write.")],
) -> None:
    """Enlarge a picture or a folder of pictures with a trained model.

    Also takes --device cpu|cuda, --tile N (pixels), --self-ensemble (better, eight times slower) and
    --overwrite.
    """
    import os
    import sys

    from srqueue.settings import load_settings
    from srqueue.stack.commands import child_environment, require

    require("torch", "worker")
    paths = [str(model), str(source), str(target)]
    argv = [sys.executable, "-m", "workers.upscale", *context.args, *paths]
    sys.stdout.flush()
    os.execve(argv[0], argv, child_environment(load_settings()))
