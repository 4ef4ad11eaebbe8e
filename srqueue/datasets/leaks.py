"""Whether pictures that are validated on would be trained on."""

from __future__ import annotations

from srqueue.counting import counted
from srqueue.datasets.names import first_five
from srqueue.datasets.registry import Registry
from srqueue.errors import DataError, SpecError, did_you_mean
from srqueue.run.listing import Listing
from srqueue.spec.job import JobSpec


def check_validation(registry: Registry, spec: JobSpec) -> None:
    """Compares the pictures of a spec's two data sets by their SHA-256, where both are on this machine.

    Raises SpecError where no data set of the validation set's name is registered here; DataError where it is
    another one than the spec names, has no held-out share, or shares pictures with what is trained on.
    """
    train, val = spec.datasets.train, spec.datasets.val
    if val is None or not spec.val.val_enabled:
        return
    entry = registry.find(val.name)
    if entry is None:
        raise SpecError(
            f"the validation set {val.name!r} is not registered on this machine",
            where="datasets.val.name",
            hint=f"{did_you_mean(val.name, registry.names())}; srqueue dataset add {val.name} --hr FOLDER, "
            "or leave datasets.val out: the share held out of the training set is taken",
        )
    if val.identity is not None and val.identity != entry.identity:
        raise DataError(
            f"the validation set {val.name!r} on this machine holds other pictures than the spec names "
            f"({entry.identity[:12]} instead of {val.identity[:12]})",
            where="datasets.val.identity",
            hint="leave the identity out: that of this machine is taken",
        )
    if val.name == train.name:
        if not entry.held_out:
            raise DataError(
                f"no picture of {val.name!r} is held out: there is nothing to validate on",
                where="datasets.val.name",
                hint="name another data set, or add this one again with --hold-out PICTURE",
            )
        return
    files = [registry.listing_file(name) for name in (train.name, val.name)]
    if all(file.exists() for file in files):
        check_leak(*map(Listing.read, files))


def check_known(registry: Registry, spec: JobSpec) -> None:
    """check_validation where both data sets are registered here; elsewhere the worker does it.

    Raises what it raises.
    """
    sets = (spec.datasets.train, spec.datasets.val)
    if all(one is None or registry.find(one.name) for one in sets):
        check_validation(registry, spec)


def check_leak(train: Listing, val: Listing) -> None:
    """Raises DataError where a file of `val` is, byte for byte, one that `train` trains on."""
    trained = {picture.sha256: picture.path for picture in train.training()}
    twice = [f"{trained[p.sha256]} (there {p.path})" for p in val.pictures if p.sha256 in trained]
    if not twice:
        return
    are, total = "is" if len(twice) == 1 else "are", counted(len(val.pictures), "picture")
    if len(twice) == len(val.pictures):
        every = f"all {total}" if len(twice) > 1 else "the only picture"
        told = f"{every} of the validation set {val.name!r} {are} trained on as well"
    else:
        told = f"{len(twice)} of {total} of {val.name!r} {are} trained on as well"
    raise DataError(
        f"{told}: {first_five(twice)}",
        where=f"datasets {train.name!r} and {val.name!r}",
        hint="validation would measure memory; take them out of one of the two and add it again",
    )
