"""Any super-resolution network of the spandrel library, with fresh weights (extra `archs`, and torchvision).

spandrel itself makes networks from files of weights; here the class it exports is called with arguments.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.networks import SpandrelSpec

_SCALE = ("upscale", "scale", "up_scale", "upscaling_factor", "upscale_factor")
_CHANNELS = ("num_in_ch", "num_out_ch", "in_chans", "in_channels", "in_nc", "out_nc", "in_ch", "out_ch")
_DROPPING = ("drop_rate", "attn_drop_rate", "drop_path_rate", "drop_path", "dropout", "dropout_rate")
"""Chances of leaving something out; 0 here, because a resumed run could not repeat them."""

_PROBE = 32
"""Side of the picture that a new network is tried on, LR pixels."""

_FITTING = "its own defaults may not fit each other: give network_g.arguments, such as {window_size: 8}"


def spandrel(spec: SpandrelSpec, scale: int) -> nn.Module:
    """The network of a SpandrelSpec, tried on one small picture.

    Raises SpecError where spandrel or torchvision is absent, the name or an argument is unknown, or what was
    built does not enlarge RGB by `scale`.
    """
    where = f"network_g, spandrel:{spec.name}"
    known = _exported(where)
    if spec.name not in known:
        raise SpecError(
            f"spandrel has no network {spec.name!r}", where=where, hint=did_you_mean(spec.name, known)
        )
    arguments = _arguments(known[spec.name], spec, scale, where)
    try:
        net = known[spec.name](**arguments)
    except Exception as error:
        raise SpecError(
            f"spandrel cannot build it: {type(error).__name__}: {error}", where=where, hint=_FITTING
        ) from error
    _check_repeatable(net, where)
    _check_size(net, scale, where)
    return net


def _exported(where: str) -> dict[str, type[nn.Module]]:
    """The networks that spandrel exports, by the names of their classes."""
    hint = "pip install 'srqueue[archs]' on the worker; torchvision must be the one that fits its torch"
    missing = [name for name in ("spandrel", "torchvision") if find_spec(name) is None]
    if missing:
        raise SpecError(
            f"this network needs {' and '.join(missing)}, not installed on this machine",
            where=where,
            hint=hint,
        )
    try:
        package = import_module("spandrel.architectures")
        modules = [
            import_module(f"spandrel.architectures.{found.name}")
            for found in iter_modules(package.__path__)
            if not found.name.startswith("_")
        ]
    except Exception as error:  # a torchvision for another torch fails in many ways
        raise SpecError(
            f"spandrel cannot be loaded: {type(error).__name__}: {error}", where=where, hint=hint
        ) from error
    exported = [(name, getattr(module, name)) for module in modules for name in module.__all__]
    return {
        name: thing for name, thing in exported if isinstance(thing, type) and issubclass(thing, nn.Module)
    }


def _arguments(network: type[nn.Module], spec: SpandrelSpec, scale: int, where: str) -> dict[str, Any]:
    """What the constructor is called with: the user's arguments, the scale, RGB, and no chance."""
    parameters = inspect.signature(network).parameters
    for name in spec.arguments:
        if name not in parameters:
            raise SpecError(
                f"{spec.name} has no argument {name!r}", where=where, hint=did_you_mean(name, parameters)
            )
    scaling = next((name for name in _SCALE if name in parameters), None)
    if scaling is None:
        raise SpecError(f"{spec.name} does not enlarge: its constructor takes no scale", where=where)
    if spec.arguments.get(scaling, scale) != scale:
        raise SpecError(
            f"{scaling} is {spec.arguments[scaling]}, the spec's scale {scale}",
            where=where,
            hint=f"leave {scaling} out",
        )
    needed = {name for name, p in parameters.items() if p.default is inspect.Parameter.empty}
    filled: dict[str, Any] = {name: 3 for name in _CHANNELS if name in needed}
    filled |= {name: 0.0 for name in _DROPPING if name in parameters}
    if "upsampler" in parameters and not parameters["upsampler"].default:
        filled["upsampler"] = "pixelshuffle"  # with its default such a network restores and does not enlarge
    filled |= {**spec.arguments, scaling: scale}
    if lacking := sorted(needed - filled.keys()):
        raise SpecError(
            f"{spec.name} needs arguments: {', '.join(lacking)}",
            where=where,
            hint="put them under network_g.arguments",
        )
    return filled


def _check_repeatable(net: nn.Module, where: str) -> None:
    for name, module in net.named_modules():
        chance = module.p if isinstance(module, nn.modules.dropout._DropoutNd) else None
        chance = getattr(module, "drop_prob", chance)
        if isinstance(chance, float) and chance > 0:
            raise SpecError(
                f"{name} leaves something out by chance ({chance}), which a resumed run could not repeat",
                where=where,
                hint="set its rate to 0 under network_g.arguments",
            )


def _check_size(net: nn.Module, scale: int, where: str) -> None:
    net.eval()
    try:
        with torch.no_grad():
            y = net(torch.zeros(1, 3, _PROBE, _PROBE))
    except Exception as error:
        raise SpecError(
            f"it cannot enlarge a {_PROBE}x{_PROBE} picture: {type(error).__name__}: {error}",
            where=where,
            hint=_FITTING,
        ) from error
    net.train()
    expected = (1, 3, scale * _PROBE, scale * _PROBE)
    given = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
    if given != expected:
        raise SpecError(f"it makes {given} of one {_PROBE}x{_PROBE} picture, not {expected}", where=where)
