"""Files of a data set that are the same byte for byte."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from srqueue.datasets.names import shown


def first_of_each(hashes: Mapping[str, str]) -> set[str]:
    """Of `{path: SHA-256}` the paths without further copies: of equal files the one that sorts first."""
    first: dict[str, str] = {}
    for path in sorted(hashes):
        first.setdefault(hashes[path], path)
    return set(first.values())


def copies_of(held: Collection[str], hashes: Mapping[str, str]) -> dict[str, str]:
    """Paths that hold the same bytes as a held-out picture, with the reason why they are not used.

    A picture that is validated on must not be trained on under another name.
    """
    held_hashes = {hashes[path]: path for path in sorted(held)}
    return {
        path: f"the same file as {shown(held_hashes[digest])}, which is held out"
        for path, digest in hashes.items()
        if digest in held_hashes and path not in held
    }
