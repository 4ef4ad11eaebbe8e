"""python -m workers.arch_table: what networks cost and how far they see.

Reads `{"scale": 2, "networks": {NAME: {...network_g...}}}` as JSON from stdin; the last line of stdout is
`{"result": {NAME: {...}}}` or `{"error": {"message", "where", "hint"}}`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from srqueue.errors import SpecError
from srqueue.spec.networks import SPANDREL, NetworkSpec
from workers.trainer.archs import build_network

WIDTH, HEIGHT = 1280, 720
"""Of the enlarged picture that multiply-adds are counted for."""

_SPEC: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)


def describe(spec: NetworkSpec, scale: int) -> dict[str, Any]:
    """Figures of one network.

    `parameters`, `frozen`: values; `parts`: learnable values by the first part of their names;
    `multiply_adds`: of one picture of 1280x720 pixels after enlargement (null: not counted);
    `receptive_field`: LR pixels across that one output pixel depends on through convolutions (null: not
    measured); `sees`: what it sees besides.
    Raises SpecError as `build_network` does.
    """
    if spec.type == SPANDREL:  # foreign code may look at values, which there are none of on `meta`
        net, field = build_network(spec, scale), None
    else:
        with torch.device("meta"):
            net = build_network(spec, scale)
        field = receptive_field(build_network(spec, scale), scale)
    parts: dict[str, int] = {}
    for name, parameter in net.named_parameters():
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + parameter.numel() * parameter.requires_grad
    return {
        "parameters": sum(parts.values()),
        "frozen": sum(p.numel() for p in net.parameters() if not p.requires_grad),
        "parts": {part: count for part, count in parts.items() if count},
        "tensors": {name: list(tensor.shape) for name, tensor in net.state_dict().items()},
        "multiply_adds": of_foreign(net, scale) if spec.type == SPANDREL else multiply_adds(net, scale),
        "receptive_field": field,
        "sees": sorted({str(m.sees) for m in net.modules() if hasattr(m, "sees")}),
    }


def multiply_adds(net: nn.Module, scale: int) -> int:
    """Of convolutions, linear layers and the matrix products of attention. `net` lies on `meta`."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net.eval()(torch.empty(1, 3, -(-HEIGHT // scale), -(-WIDTH // scale), device="meta"))
    return int(counter.get_total_flops()) // 2


def of_foreign(net: nn.Module, scale: int) -> int | None:
    """Multiply-adds of a network whose code is not ours, moved to `meta`; None where it cannot run there.

    A small real picture would not do: windows are padded and global attention grows with the square of the
    area, so its count cannot be enlarged to 1280x720.
    """
    try:
        return multiply_adds(net.to("meta"), scale)
    except Exception:  # some look at values, which `meta` has none of; some cannot take that size
        return None


def receptive_field(net: nn.Module, scale: int) -> int:
    """LR pixels across that one output pixel depends on, without what looks at windows or the whole picture.

    Measured: where the gradient of one output pixel is not zero, with positive weights. On a picture one
    pixel high, because the networks treat height and width alike. Changes the weights.
    """
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    width = 2 * sum(m.dilation[1] * (m.kernel_size[1] // 2) for m in convolutions) + 3
    net.eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        size = parameter[0].numel() if parameter.ndim == 4 and len(parameter) > 1 else 1
        parameter.uniform_(0.1, 0.2, generator=generator).div_(size)  # small: gates multiply
    for module in net.modules():
        if hasattr(module, "sees"):  # made a constant
            for parameter in module.parameters():
                parameter.zero_()
    for convolution in convolutions:
        convolution.register_forward_hook(_only_where)
    x = torch.full((1, 3, 1, width), 0.5, requires_grad=True)
    net(x)[0, 0, 0, scale * (width // 2)].backward()
    assert x.grad is not None
    touched = x.grad.abs().sum((0, 1, 2)).nonzero()
    return int(touched.max() - touched.min()) + 1


def _only_where(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """The gradient tells where, not how much: after fifty layers the edge is too small a number."""
    if output.requires_grad:
        output.register_hook(lambda gradient: (gradient != 0).to(gradient.dtype))  # type: ignore[no-untyped-call]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`describe` for every network of a request."""
    torch.manual_seed(0)
    networks = {name: _SPEC.validate_python(keys) for name, keys in request["networks"].items()}
    return {name: describe(spec, request["scale"]) for name, spec in networks.items()}


def main() -> int:
    """Prints the answer; returns the exit code."""
    try:
        print(json.dumps({"result": answer(json.loads(sys.stdin.read()))}), flush=True)
    except SpecError as error:
        said = {"message": error.message, "where": error.where, "hint": error.hint}
        print(json.dumps({"error": said}), flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
