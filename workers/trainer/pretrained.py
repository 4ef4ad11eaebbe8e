"""Starting from weights that were trained before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from srqueue.errors import SpecError
from srqueue.spec.job import PathSpec
from srqueue.spec.kinship import check_kin
from srqueue.spec.networks import NetworkSpec
from workers.trainer.archs.magic_upsampler import repeated_kernels

PREFIXES = ("params_ema.", "params.", "module.")
"""What other trainers put before every name; the first that is there counts."""

_PICKLES = {".pth", ".pt", ".ckpt", ".bin"}
_NAMED = 5


def load_pretrained(
    net: nn.Module, path: PathSpec, network: NetworkSpec, scale: int, log: Callable[[str], object]
) -> str:
    """Loads `path.pretrain_network_g`, a safetensors file, into `net`; what is worth knowing, or "".

    `network`, `scale`: what `net` was built of. A file that srqueue exported says of what its weights are,
    and must agree; any other file is taken by the names and shapes of its tensors. With `path.strict_load_g`
    whatever does not fit is a SpecError that names the tensors; without it that stays as it was initialised.
    `log` gets the names where they are too many for a sentence.
    """
    file = Path(path.pretrain_network_g or "").expanduser()
    where = f"path.pretrain_network_g: {file}"
    tensors, metadata = _read(file, path.pretrain_sha256, where)
    tensors = _without_prefix(tensors)
    told = check_kin(metadata, network, scale, path.strict_load_g, where)
    own, unlike = net.state_dict(), _take_off_repeated(tensors, net)
    fitting = {n: t for n, t in tensors.items() if n in own and own[n].shape == t.shape}
    by_kind = _misfits(own, tensors, unlike)
    misfits = _sentence(by_kind)
    if any(len(names) > _NAMED for names in by_kind.values()):
        log(f"what does not fit of {file}:")
        for what, names in by_kind.items():
            for name in names:
                log(f"  {what}: {name}")
    if misfits and path.strict_load_g:
        raise SpecError(
            f"the weights do not fit the network: {misfits}",
            where=where,
            hint="path.strict_load_g: false takes what fits",
        )
    if not fitting:
        raise SpecError(f"no tensor of the file fits the network: {misfits}", where=where)
    broken = [n for n, t in fitting.items() if not bool(torch.isfinite(t.float()).all())]
    if broken:
        raise SpecError(f"the weights are not finite: {_some(broken)}", where=where)
    net.load_state_dict({**own, **fitting})
    if misfits:
        told.append(f"{len(fitting)} of {len(own)} tensors taken over; {misfits}")
    return "; ".join(told)


def _read(file: Path, sha256: str | None, where: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata. Raises SpecError where the file is another one than `sha256` says."""
    try:
        data = file.read_bytes()
        if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise SpecError(
                f"the file has SHA-256 {found}, and path.pretrain_sha256 wants {sha256}",
                where=where,
                hint="bring back the file that the spec was made with, or correct path.pretrain_sha256",
            )
        with safe_open(file, "pt") as opened:
            return safetensors.torch.load(data), opened.metadata() or {}
    except OSError as error:
        raise SpecError(f"cannot read the weights: {error.strerror or error}", where=where) from None
    except SafetensorError as error:
        raise SpecError(f"not a safetensors file: {error}", where=where, hint=_conversion(file)) from None


def _conversion(file: Path) -> str | None:
    """How to make a safetensors file of a pickle; we never open one, since it may run code."""
    if file.suffix.lower() not in _PICKLES:
        return None
    return (
        "convert it where you trust it: w = torch.load(FILE, weights_only=True); "
        "w = w.get('params_ema', w.get('params', w)); safetensors.torch.save_file(w, 'OUT.safetensors')"
    )


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under their own names; of several sets in one file the first of PREFIXES."""
    for prefix in PREFIXES:
        below = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        if below and all(n.startswith(PREFIXES) for n in tensors):
            return below
    return tensors


def _take_off_repeated(tensors: dict[str, Tensor], net: nn.Module) -> list[str]:
    """Removes what only repeats the network's fixed kernels; names what claims to and differs."""
    unlike = []
    for name, kernel in repeated_kernels(net).items():
        given = tensors.pop(name, None)
        if given is not None and (given.shape != kernel.shape or not torch.equal(given.float(), kernel)):
            unlike.append(name)
    return unlike


def _misfits(own: dict[str, Tensor], given: dict[str, Tensor], unlike: list[str]) -> dict[str, list[str]]:
    return {
        "unlike the fixed kernels here": unlike,
        "missing": [n for n in own if n not in given],
        "unknown": [n for n in given if n not in own],
        "of another shape": [
            f"{n} {list(given[n].shape)}, not {list(own[n].shape)}"
            for n in own
            if n in given and own[n].shape != given[n].shape
        ],
    }


def _sentence(misfits: dict[str, list[str]]) -> str:
    told = "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in misfits.items() if names)
    cut = any(len(names) > _NAMED for names in misfits.values())
    return f"{told} (all are named in the attempt's log)" if cut else told


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
