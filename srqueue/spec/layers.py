"""Partial specs laid over each other, with a record of where every value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srqueue.errors import SpecError
from srqueue.spec.networks import network_keys
from srqueue.spec.sections import is_section

_CONTENTS = {
    "datasets.train.name": "datasets.train.identity",
    "datasets.val.name": "datasets.val.identity",
    "path.pretrain_network_g": "path.pretrain_sha256",
}
"""Path of a name -> path of what says which content is meant by it."""

_FOREIGN = "network_g.name"
"""Which of spandrel's networks is meant; the arguments of another mean nothing to it."""


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything in `tree` that is not a non-empty mapping; lists count as values."""
    for key, value in tree.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def get_path(tree: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    node: Any = tree
    for key in path.split("."):
        if not isinstance(node, Mapping) or key not in node:
            return None
        node = node[key]
    return node


def set_path(tree: dict[str, Any], path: str, value: Any) -> None:
    """Puts `value` at a dotted path, making mappings on the way."""
    *parents, last = path.split(".")
    for key in parents:
        child = tree.get(key)
        if not isinstance(child, dict):
            child = tree[key] = {}
        tree = child
    tree[last] = value


@dataclass
class Layers:
    """A growing spec. Later layers win; mappings are merged, lists and scalars replaced whole."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def lay(self, layer: Mapping[str, Any], origin: str) -> None:
        """Lays one partial spec over what is there; another `type` begins its section anew.

        Another name than before is other content: what was known of the old one's is forgotten, unless this
        layer (or an earlier one of the same origin) says it.
        """
        every = list(leaves(normalised(layer, origin)))
        found = [(path, value) for path, value in every if value != {}]
        for path, value in found:
            section, _, key = path.rpartition(".")
            if key == "type" and self.get(path) not in (None, value):
                self._clear(section)
        given = dict(found)
        if given.get(_FOREIGN) not in (None, self.get(_FOREIGN)) and self.get("network_g.arguments"):
            self._clear("network_g.arguments")
        for path, content in _CONTENTS.items():
            other = path in given and given[path] != self.get(path) and content not in given
            if other and self.get(content) is not None and self.origins.get(content) != origin:
                self.put(content, None, origin)
        for path, value in found:
            self.put(path, value, origin)
        for path in [path for path, value in every if value == {}]:
            # An empty section changes nothing; an unknown key is kept, so that the check finds it.
            if not is_section(path) and not isinstance(self.get(path), Mapping):
                self.put(path, {}, origin)

    def put(self, path: str, value: Any, origin: str) -> None:
        """Sets one value and notes where it came from."""
        for old in [p for p in self.origins if p.startswith(path + ".")]:
            del self.origins[old]
        set_path(self.tree, path, value)
        self.origins[path] = origin

    def _clear(self, section: str) -> None:
        for old in [p for p in self.origins if p.startswith(section + ".")]:
            del self.origins[old]
        set_path(self.tree, section, {})

    def get(self, path: str) -> Any:
        """The value at a dotted path so far, or None."""
        return get_path(self.tree, path)


def normalised(layer: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """`layer` with `train.val`, as the paper prints it, moved to the top-level `val`.

    `network_g.type: spandrel:NAME` becomes the type and the name it is short for. Raises SpecError where
    `layer` is no mapping.
    """
    if not isinstance(layer, Mapping):
        raise SpecError(
            f"a partial spec holds `key: value` pairs, as in {{'train': {{'total_iter': 5000}}}}, not "
            f"{layer!r:.60}",
            where=origin,
        )
    plain = dict(layer)
    network = plain.get("network_g")
    if isinstance(network, Mapping) and isinstance(network.get("type"), str):
        plain["network_g"] = {**network, **network_keys(network["type"])}
    train = plain.get("train")
    if not isinstance(train, Mapping) or "val" not in train:
        return plain
    plain["train"] = {key: value for key, value in train.items() if key != "val"}
    inner, outer = train["val"], plain.get("val", {})
    if not isinstance(inner, Mapping) or not isinstance(outer, Mapping):
        raise SpecError("`val` must hold `key: value` lines", where=f"{origin}, train.val")
    for key in inner.keys() & outer.keys():
        if inner[key] != outer[key]:
            raise SpecError(
                f"{key} stands twice, as val.{key}: {outer[key]} and train.val.{key}: {inner[key]}",
                where=origin,
                hint="keep one of them; they mean the same",
            )
    plain["val"] = {**inner, **outer}
    return plain


def assignment(text: str) -> tuple[str, str]:
    """(dotted path, value text) of one `--set key.path=value`. Raises SpecError where it is not one."""
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path or not all(path.split(".")):
        raise SpecError(
            f"{text!r} is not a setting", where="--set", hint="write it as --set train.optim_g.lr=5e-5"
        )
    return path, value


def origin_of(origins: Mapping[str, str], path: str) -> str:
    """Where the value at a dotted path came from: its own origin, a child's, a parent's, or `default`."""
    below = next((origin for known, origin in origins.items() if known.startswith(path + ".")), None)
    if below:
        return below
    parts: Sequence[str] = path.split(".")
    for end in range(len(parts), 0, -1):
        found = origins.get(".".join(parts[:end]))
        if found:
            return found
    return "default"
