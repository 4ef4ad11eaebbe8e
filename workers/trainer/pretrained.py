"""Starting from weights that were trained before."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from srqueue.errors import SpecError

_NAMED = 5


def load_pretrained(net: nn.Module, path: Path, strict: bool) -> str:
    """Loads a safetensors file into `net`; a sentence about what did not fit, or "".

    With `strict` anything that does not fit is a SpecError that names the tensors; without it those stay as
    they were initialised.
    """
    where = f"path.pretrain_network_g: {path}"
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except OSError as error:
        raise SpecError(f"cannot read the weights: {error.strerror}", where=where) from None
    except SafetensorError as error:
        raise SpecError(f"not a safetensors file: {error}", where=where) from None
    own = net.state_dict()
    fitting = {n: t for n, t in tensors.items() if n in own and own[n].shape == t.shape}
    misfits = _misfits(own, tensors)
    if misfits and strict:
        raise SpecError(
            f"the weights do not fit the network: {misfits}",
            where=where,
            hint="path.strict_load_g: false takes what fits",
        )
    if not fitting:
        raise SpecError("no tensor of the file fits the network", where=where)
    broken = [n for n, t in fitting.items() if not bool(torch.isfinite(t.float()).all())]
    if broken:
        raise SpecError(f"the weights are not finite: {_some(broken)}", where=where)
    net.load_state_dict({**own, **fitting})
    return f"{len(fitting)} of {len(own)} tensors taken over; {misfits}" if misfits else ""


def _misfits(own: dict[str, Tensor], given: dict[str, Tensor]) -> str:
    parts = {
        "missing": [n for n in own if n not in given],
        "unknown": [n for n in given if n not in own],
        "of another shape": [
            f"{n} {list(given[n].shape)}, not {list(own[n].shape)}"
            for n in own
            if n in given and own[n].shape != given[n].shape
        ],
    }
    return "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in parts.items() if names)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
