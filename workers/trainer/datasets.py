"""The data sets of an attempt: from listings on this machine to pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srqueue.errors import DataError, SpecError
from srqueue.run.listing import Listing, Picture
from srqueue.spec.job import JobSpec
from workers.trainer.banking import BankedSet, Banking, BankPlace
from workers.trainer.data.decode import DataMissing
from workers.trainer.data.pictures import Pictures


@dataclass(frozen=True)
class Datasets:
    """What is trained and validated on.

    `identities` is what checkpoints are bound to; `left_out` counts pictures smaller than the crop; `banking`
    says where the decoded pictures lie.
    """

    training: Pictures
    validation: Pictures | None
    identities: dict[str, str | None]
    left_out: int
    banking: Banking


def open_datasets(spec: JobSpec, listings: dict[str, str | None], place: BankPlace | None = None) -> Datasets:
    """Opens the listings that attempt.json names; no picture is decoded here. `place`: of crop banks.

    Raises DataMissing where a listing is not here or of other pictures than the spec's, DataError where it is
    empty, SpecError where its scale does not fit.
    """
    train, val = spec.datasets.train, spec.datasets.val
    training = _listing(listings.get("train"), train.name, train.identity)
    identities: dict[str, str | None] = {"train": training.identity, "val": None}
    validation = None
    sets: list[BankedSet] = []
    if val is not None and spec.val.val_enabled:
        own = val.name == train.name
        listing = training if own else _listing(listings.get("val"), val.name, val.identity)
        identities["val"] = listing.identity
        validation = _pictures(listing, listing.held_out() if own else listing.pictures, spec.scale)
        # Before what is trained on: it is read as a whole, over and over.
        sets.append(BankedSet(validation, listing, str(listings.get("train" if own else "val"))))
    large = training.training(train.lq_size * spec.scale)
    left_out = len(training.training()) - len(large)
    pictures = _pictures(training, large, spec.scale)
    sets.append(BankedSet(pictures, training, str(listings.get("train"))))
    banking = Banking(sets, spec.compute.bank, place)
    return Datasets(pictures, validation, identities, left_out, banking)


def _listing(file: str | None, name: str, identity: str | None) -> Listing:
    if not file:
        raise DataMissing(
            f"data set {name!r} is not on this machine", hint=f"add it: srqueue dataset add {name} --hr DIR"
        )
    try:
        listing = Listing.read(Path(file))
    except DataError as error:
        raise DataMissing(error.message, where=error.where, hint=error.hint) from None
    if identity is not None and listing.identity != identity:
        raise DataMissing(
            f"data set {name!r} holds other pictures here than where the job was submitted",
            where=file,
            hint="add the same pictures, with the same held-out list",
        )
    return listing


def _pictures(listing: Listing, chosen: tuple[Picture, ...], scale: int) -> Pictures:
    if not chosen:
        raise DataError(
            f"data set {listing.name!r} has no picture of that use that is large enough for the crop",
            where=", ".join(listing.hr_roots),
            hint="lower datasets.train.lq_size",
        )
    if listing.lr_roots and listing.scale != scale:
        raise SpecError(
            f"the LR pictures of {listing.name!r} are for scale {listing.scale}, the spec's is {scale}",
            where="scale",
        )
    hr, lr = (tuple(map(Path, roots)) for roots in (listing.hr_roots, listing.lr_roots))
    for root in (*hr, *lr):
        if not root.is_dir():
            raise DataMissing(f"a folder of data set {listing.name!r} is not there", where=str(root))
    return Pictures(chosen, hr, lr, scale)
