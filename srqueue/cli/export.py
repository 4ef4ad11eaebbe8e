"""`srqueue export`: a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An exported .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .onnx file to write.")],
    opset: Annotated[int, typer.Option(help="Version of ONNX's operators, 18 to 23.")] = 18,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Compute in float16; input and output stay float32.")
    ] = False,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Height and width of the only input, else any.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT where it is there.")] = False,
) -> None:
    """Write a trained model as ONNX, after comparing it with the original in onnxruntime.

    Input `lr`: float32 [N, 3, H, W] in 0..1; output `sr`: the same, enlarged and not clamped.
    """
    import os
    import sys

    from srqueue.settings import load_settings
    from srqueue.stack.commands import child_environment, require

    require("torch", "worker")
    for module in ("onnx", "onnxscript", "onnxruntime"):
        require(module, "worker,onnx")
    options = ["--opset", str(opset)]
    options += ["--fp16"] if fp16 else []
    options += ["--size", size] if size is not None else []
    options += ["--overwrite"] if overwrite else []
    argv = [sys.executable, "-m", "workers.onnx", *options, "--", str(model), str(target)]
    sys.stdout.flush()
    os.execve(argv[0], argv, child_environment(load_settings()))
