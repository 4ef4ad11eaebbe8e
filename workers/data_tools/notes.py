"""What a person is told when a data set is added."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence

from srqueue.counting import of_all
from srqueue.datasets.finding import counted
from srqueue.datasets.names import first_five
from srqueue.run.listing import Listing
from workers.data_tools.copies import first_of_each
from workers.data_tools.pair_outliers import degradation_of
from workers.data_tools.pair_quality import PairQuality
from workers.data_tools.pairs import warning_of
from workers.data_tools.picture import ALPHA, DEEP
from workers.duplicates import Thumbnails, near_duplicates

DEFAULT_LQ_SIZE = 64
"""Side of the low-resolution crops of the presets; smaller pictures get a warning."""


def warn_of_small(listing: Listing, scale: int) -> None:
    """Pictures smaller than the usual crop."""
    side = DEFAULT_LQ_SIZE * scale
    small = [f"{p.path} ({p.width}x{p.height})" for p in listing.training() if min(p.width, p.height) < side]
    if small:
        print(
            f"warning: {of_all(len(small), len(listing.training()), 'picture')} smaller than {side} pixels, "
            f"the usual crop at scale {scale}: {first_five(small)}",
            file=sys.stderr,
        )


def note_kinds(what: str, kinds: Mapping[str, str]) -> None:
    """What is left out of the HR or LR pictures `{path: kind}` when they are read."""
    alpha = sorted(path for path, kind in kinds.items() if ALPHA in kind)
    deep = sorted(path for path, kind in kinds.items() if kind.endswith(DEEP))
    for paths, says in (
        (alpha, "say what is transparent, which is dropped"),
        (deep, "have 16 bits a channel and are read as 8"),
    ):
        if paths:
            told = f"{len(paths)} of {len(kinds)} {what} pictures {says}: {first_five(paths)}"
            print(f"note: {told}", file=sys.stderr)


def note_others(what: str, others: Mapping[str, int]) -> None:
    """Pictures of formats that are not read."""
    if others:
        print(
            f"note: beside the {what} pictures lie {counted(others)}, which are not read: convert them to "
            "PNG to have them in the data set",
            file=sys.stderr,
        )


def warn_of_copies(listing: Listing) -> None:
    """Files that are trained on more than once."""
    hashes = {p.path: p.sha256 for p in listing.pictures}
    twice = sorted(hashes.keys() - first_of_each(hashes))
    if twice:
        print(
            f"warning: in the data set more than once, byte for byte, and trained on as often: "
            f"{first_five(twice)}",
            file=sys.stderr,
        )


def warn_of_wrong_pairs(name: str, pairs: Sequence[PairQuality]) -> None:
    """Pairs that have a remark, and what all pairs have in common."""
    if warning := warning_of(name, pairs):
        print(warning, file=sys.stderr)
    if sentence := degradation_of(pairs):
        print(f"note: {name!r}: {sentence}", file=sys.stderr)


def warn_of_near_duplicates(listing: Listing, thumbnails: Thumbnails) -> None:
    """Held-out pictures that are nearly trained on: all are asked for, or there were not enough others."""
    trained = {p.path: thumbnails[p.path] for p in listing.training()}
    held = {p.path: thumbnails[p.path] for p in listing.held_out()}
    twin = {val: train for train, val, _ in reversed(near_duplicates(trained, held))}
    if twin:
        named = first_five([f"{path} ({twin[path]})" for path in sorted(twin)])
        print(
            f"warning: {len(twin)} of {len(held)} held-out pictures are nearly the same as one that is "
            f"trained on: {named}; validation will partly measure memory: take away one of each, or hold out "
            "others with --hold-out",
            file=sys.stderr,
        )


def warn_of_validated(listing: Listing, thumbnails: Thumbnails, val: Listing, validated: Thumbnails) -> None:
    """Pictures that are nearly the same as one of another data set, which is validated on.

    Those that are the same to the last byte are an error, see srqueue.datasets.leaks.
    """
    same = {p.sha256 for p in val.pictures}
    trained = {p.path: thumbnails[p.path] for p in listing.training() if p.sha256 not in same}
    twin = {train: other for train, other, _ in reversed(near_duplicates(trained, validated))}
    if twin:
        named = first_five([f"{path} (there {twin[path]})" for path in sorted(twin)])
        print(
            f"warning: {len(twin)} of {len(listing.training())} pictures are nearly the same as pictures of "
            f"{val.name!r}, which is validated on: {named}; validation will partly measure memory: take them "
            "out of one of the two and add it again",
            file=sys.stderr,
        )


def warn_of_held_out(held: Collection[str], suspect: Collection[str], asked: bool) -> None:
    """Pairs that are validated on though something is wrong with them, or that there are no others."""
    if wrong := sorted(set(held) & set(suspect)):
        print(
            f"warning: held out as asked, though the pair may be wrong: {first_five(wrong)}; figures of "
            "a validation on it mean little",
            file=sys.stderr,
        )
    if suspect and not held and asked:
        print(
            "warning: no pair is held out, because all may be wrong: nothing is validated on; mend them and "
            "add the data set again, or name a right one with --hold-out",
            file=sys.stderr,
        )
