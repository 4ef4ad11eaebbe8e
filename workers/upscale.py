"""python -m workers.upscale MODEL IN OUT: pictures through an exported model."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from srqueue.errors import DataError, SrqueueError, UsageError
from srqueue.run.atomic import write_file
from workers.trainer.data.decode import drops_alpha, read_picture
from workers.trainer.data.resize import Pixels
from workers.trainer.inference import LEAST_TILE, TILE, super_resolve
from workers.trainer.model_file import Model, read_model

EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def upscale(
    model: Model, lq: Pixels, device: str = "cpu", tile: int = TILE, ensemble: bool = False
) -> Pixels:
    """uint8 RGB [H, W, 3] -> [scale * H, scale * W, 3]. Pictures larger than `tile` are done in tiles.

    `ensemble`: the mean over eight flipped and transposed inputs.
    """
    x = torch.from_numpy(np.ascontiguousarray(lq)).to(device).permute(2, 0, 1)
    y = super_resolve(model.net.to(device), x, model.scale, tile, ensemble)
    return np.ascontiguousarray(y.permute(1, 2, 0).cpu().numpy())


def jobs(source: Path, target: Path, overwrite: bool) -> list[tuple[Path, Path]]:
    """(input, output) pairs: one file, or every picture of a folder. Raises UsageError before any work."""
    if source.is_dir():
        inputs = sorted(p for p in source.iterdir() if p.suffix.lower() in EXTENSIONS and p.is_file())
        if not inputs:
            raise UsageError("the folder holds no pictures", where=str(source))
        if target.is_file():
            raise UsageError("IN is a folder, so OUT must be one", where=str(target))
        pairs = [(p, target / f"{p.stem}.png") for p in inputs]
    elif source.is_file():
        pairs = [(source, target / f"{source.stem}.png" if target.is_dir() else target)]
    else:
        raise UsageError("there is no such file or folder", where=str(source))
    outputs = [out for _, out in pairs]
    doubled = {out for out in outputs if outputs.count(out) > 1}
    if doubled:
        raise UsageError("two inputs would become the same file", where=str(min(doubled)))
    for given, out in pairs:
        if out.suffix.lower() != ".png":
            raise UsageError("pictures are written as PNG", where=str(out), hint="name it .png")
        if out.resolve() == given.resolve():
            raise UsageError("the output would replace its input", where=str(out), hint="choose another OUT")
        if out.exists() and not overwrite:
            raise UsageError("the output is already there", where=str(out), hint="--overwrite replaces it")
    return pairs


def main(arguments: list[str] | None = None) -> int:
    """0, or the exit code of what went wrong; pictures that can be done are done."""
    parser = argparse.ArgumentParser(prog="srqueue upscale", description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .safetensors file exported by srqueue")
    parser.add_argument("source", type=Path, metavar="IN", help="a picture, or a folder of pictures")
    parser.add_argument("target", type=Path, metavar="OUT", help="a .png file or a folder")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:N]")
    parser.add_argument("--tile", type=int, default=TILE, help="largest side done at once, LR pixels")
    parser.add_argument(
        "--self-ensemble", action="store_true", help="the mean over eight flips and turns: better, 8 x slower"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that are there")
    asked = parser.parse_args(arguments)
    try:
        return _run(asked)
    except SrqueueError as error:
        _print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _run(asked: argparse.Namespace) -> int:
    if asked.tile < LEAST_TILE:
        raise UsageError(f"a tile needs {LEAST_TILE} pixels or more", where="--tile")
    device = _device(asked.device)
    pairs = jobs(asked.source, asked.target, asked.overwrite)
    model = read_model(asked.model)
    failed = 0
    for number, (given, out) in enumerate(pairs, 1):
        try:
            lq = read_picture(given)
            if drops_alpha(given):
                print(f"note: {given.name}: what is transparent is dropped", file=sys.stderr, flush=True)
            sr = upscale(model, lq, device, asked.tile, asked.self_ensemble)
            _write_png(out, sr)
        except SrqueueError as error:
            error.hint = None if isinstance(error, DataError) else error.hint  # that one is for data sets
            _print_error(error)
            failed = error.exit_code
            continue
        sizes = f"{lq.shape[1]}x{lq.shape[0]} -> {sr.shape[1]}x{sr.shape[0]}"
        print(f"{number}/{len(pairs)}  {given.name}  {sizes}  {out}", flush=True)
    return failed


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise UsageError(f"unknown device {asked!r}", where="--device", hint="auto, cpu or cuda:N") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {asked} is not here", where="--device", hint="--device cpu")
    return asked


def _write_png(path: Path, picture: Pixels) -> None:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write the picture: {error.strerror}", where=str(path)) from None


def _print_error(error: SrqueueError) -> None:
    print(f"error: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
