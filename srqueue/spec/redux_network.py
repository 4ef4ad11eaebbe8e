"""The `network_g` section of a traiNNer-redux YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from srqueue.spec.networks import NETWORK_SPECS, SPANDREL, ParagonSR2Spec, network_keys
from srqueue.spec.originals import ORIGINALS, SWITCHES
from srqueue.spec.presets import architecture_names
from srqueue.spec.redux_tables import NETWORK_ARGUMENTS, NETWORK_NEEDLESS, NETWORK_NOTES, OUR_NETWORKS
from srqueue.spec.redux_train import Imported

_HERE_ALREADY = ("type", "scale", "upscale", "upscaling")


def read_network(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    """Carries the section over; yields the path that was read."""
    yield "network_g"
    given = raw.get("network_g")
    if not isinstance(given, Mapping):
        return
    theirs = str(given.get("type") or "")
    wanted = _type(theirs)
    if not wanted:
        # It stays in the spec: without it the preset's network would be trained instead, and nobody told.
        found.spec["network_g"] = {"type": theirs}
        found.lost["network_g.type"] = (
            f"there is no network {theirs!r} here; known are {', '.join(architecture_names())}, and "
            f"{SPANDREL}:NAME for those of the spandrel library"
        )
        return
    kind = str(wanted["type"])
    for key, value in given.items():
        if key == "alpha" and "upsampler_alpha" in given:
            found.needless["network_g.alpha"] = "upsampler_alpha was read there"
        elif key not in _HERE_ALREADY:
            _argument(kind, str(key), value, wanted, found)
    if note := NETWORK_NOTES.get(kind):
        found.notes.append(note)
    original = ORIGINALS.get(kind, {})
    if not original.keys() <= wanted.keys():
        listed = ", ".join(f"{k}: {v:g}" for k, v in original.items())
        found.notes.append(f"what is not said of the network is mended here; as it was there: {listed}")
    found.spec["network_g"] = wanted


def _type(theirs: str) -> dict[str, Any]:
    """Our `network_g` of that type, with the size that it has there; empty where there is none."""
    kind = theirs.lower()
    if kind.startswith(f"{SPANDREL}:"):
        return network_keys(SPANDREL + theirs[len(SPANDREL) :])
    return dict(OUR_NETWORKS.get(kind) or ({"type": kind} if kind in NETWORK_SPECS else {}))


def _argument(kind: str, key: str, value: Any, wanted: dict[str, Any], found: Imported) -> None:
    """One argument of theirs: to `wanted`, or why it is lost or not needed."""
    model, path = NETWORK_SPECS[kind], f"network_g.{key}"
    paragon = issubclass(model, ParagonSR2Spec)
    ours = NETWORK_ARGUMENTS.get(key, key)
    if paragon and key in SWITCHES[kind]:
        built = SWITCHES[kind][key]
        if built in (None, value):
            found.needless[path] = (
                "it was not read there for this network" if built is None else "so it is here"
            )
        else:
            found.lost[path] = f"{kind} is built here as by default there: {key} {str(built).lower()}"
    elif paragon and ours == "alpha" and isinstance(value, int | float):
        wanted[ours] = _alpha(key, value, found)
    elif ours in model.model_fields:
        wanted[ours] = value
    elif paragon and key in NETWORK_NEEDLESS:
        found.needless[path] = NETWORK_NEEDLESS[key]
    else:
        found.lost[path] = f"{kind} has no such argument here"


def _alpha(key: str, value: float, found: Imported) -> float:
    """Ours: what is above 0 there blurs, and what is below is not acted on."""
    ours = -value if value > 0 else 0
    if value:
        what = "blurs" if value > 0 else "does nothing"
        found.notes.append(f"{key} {value:g} there {what}: it is {ours:g} here, where above 0 sharpens")
    return ours
