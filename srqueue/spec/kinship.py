"""Whether exported weights mean in another network what they meant in their own."""

from __future__ import annotations

import json
from typing import Any

from srqueue.errors import SpecError
from srqueue.spec.networks import NetworkSpec, ParagonSR2Spec
from srqueue.spec.originals import ORIGINALS

FORMAT = "srqueue-model"
"""What `format` says in the metadata of a file that srqueue exported."""

SWITCHES = ("act",)
"""Arguments that make another network of the same tensors; false where a file does not name them."""

INITIAL = ("detail_gain", "layer_scale")
"""Arguments that set initial weights only; after loading they mean nothing."""


def check_kin(
    metadata: dict[str, str], network: NetworkSpec, scale: int, strict: bool, where: str
) -> list[str]:
    """Compares what a file says of its weights with the network that takes them; sentences to tell.

    Raises SpecError across architectures and across SWITCHES, and with `strict` across scales: a body trained
    at x2 is a good start at x4, its tail is not. Of a file that srqueue did not export only its tensors are
    known: see `_of_others`.
    """
    if metadata.get("format") != FORMAT:
        return _of_others(network, strict, where)
    theirs, ours = _arguments(metadata, where), network.model_dump(mode="json", exclude={"type"})
    given, wanted = _name(metadata.get("architecture", "?"), theirs), _name(network.type, ours)
    if given != wanted:
        raise SpecError(f"the weights are of a {given}, and network_g is a {wanted}", where=where)
    told: list[str] = []
    if (other := metadata.get("scale")) != str(scale):
        if strict:
            raise SpecError(
                f"the weights are of a x{other} network, and this one is x{scale}",
                where=where,
                hint="path.strict_load_g: false takes what fits",
            )
        told.append(f"the weights are of a x{other} network, and this one is x{scale}")
    for name in SWITCHES:
        if name in ours and theirs.get(name, False) != ours[name]:
            raise SpecError(
                f"the weights were trained with {_said(name, theirs.get(name, False))}, and network_g has "
                f"{_said(name, ours[name])}: the same tensors, another network",
                where=where,
                hint=f"set network_g.{name}: {json.dumps(theirs.get(name, False))}",
            )
    for name in sorted(theirs.keys() & ours.keys() - {*SWITCHES, *INITIAL}):
        if theirs[name] != ours[name]:
            told.append(
                f"the weights were trained with {_said(name, theirs[name])}, and network_g has "
                f"{_said(name, ours[name])}"
            )
    return told


def _of_others(network: NetworkSpec, strict: bool, where: str) -> list[str]:
    """What the tensors of a file without our metadata do not show; with `strict` no switch may be on."""
    ours = network.model_dump(mode="json")
    for name in SWITCHES:
        if strict and ours.get(name):
            raise SpecError(
                f"the file does not say that its weights were trained with {_said(name, True)}, and "
                "network_g has it: the same tensors, another network",
                where=where,
                hint=f"set network_g.{name}: false, or path.strict_load_g: false if you know that they were",
            )
    if not isinstance(network, ParagonSR2Spec):
        return []
    original = ORIGINALS[network.type]["alpha"]
    if network.alpha == original:
        return []
    return [
        f"the file does not say its pre-filter, and network_g has alpha: {network.alpha:g}; the original "
        f"code's default for this network is network_g.alpha: {original:g} here"
    ]


def _arguments(metadata: dict[str, str], where: str) -> dict[str, Any]:
    try:
        arguments = json.loads(metadata.get("arguments", "{}"))
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise SpecError("the file's metadata are damaged: its arguments are no JSON object", where=where)
    return arguments


def _name(architecture: str, arguments: dict[str, Any]) -> str:
    """`spandrel:DAT` where a library names its networks itself."""
    return f"{architecture}:{arguments['name']}" if "name" in arguments else architecture


def _said(name: str, value: object) -> str:
    return f"{name}: {json.dumps(value)}"
