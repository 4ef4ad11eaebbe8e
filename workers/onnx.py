"""python -m workers.onnx MODEL OUT: an exported model as an ONNX file."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from srqueue.errors import SrqueueError, UsageError
from srqueue.run.atomic import write_file
from srqueue.spec.networks import network_name
from workers.trainer.model_file import read_model

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


def main(arguments: list[str] | None = None) -> int:
    """0, or the exit code of what went wrong; then nothing is written."""
    parser = argparse.ArgumentParser(prog="srqueue export", description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .safetensors file exported by srqueue")
    parser.add_argument("target", type=Path, metavar="OUT", help="the .onnx file to write")
    parser.add_argument("--opset", type=int, default=18, help="version of ONNX's operators")
    parser.add_argument(
        "--fp16", action="store_true", help="compute in float16; input and output stay float32"
    )
    parser.add_argument("--size", metavar="HxW", help="height and width of the only input; else any")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT where it is there")
    asked = parser.parse_args(arguments)
    try:
        _run(asked)
    except SrqueueError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _run(asked: argparse.Namespace) -> None:
    target: Path = asked.target
    size = _size(asked.size)
    if target.suffix.lower() != ".onnx":
        raise UsageError("ONNX files are called .onnx", where=str(target))
    if target.exists() and not asked.overwrite:
        raise UsageError("the output is already there", where=str(target), hint="--overwrite replaces it")
    model = read_model(asked.model)

    from workers.trainer.onnx_file import to_onnx  # takes seconds: mistakes are told before

    exported = to_onnx(model, asked.opset, asked.fp16, size)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, exported.data)
    except OSError as error:
        raise UsageError(f"cannot write the model: {error.strerror}", where=str(target)) from None
    form = "float16" if asked.fp16 else "float32"
    given = "any size" if size is None else f"{size[1]}x{size[0]} pixels only"
    print(f"{target}  {network_name(model.network)} x{model.scale}, {form}, opset {asked.opset}, {given}")
    for (height, width), difference in exported.differences.items():
        print(f"onnxruntime and torch differ by at most {difference:.1e} at {width}x{height} pixels")


def _size(asked: str | None) -> tuple[int, int] | None:
    if asked is None:
        return None
    found = _SIZE.fullmatch(asked)
    if found is None:
        raise UsageError(f"{asked!r} is no size", where="--size", hint="height x width, as in 360x640")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    sys.exit(main())
