"""Where the decoded pictures of an attempt lie: in memory where they fit, else in a crop bank on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srqueue.counting import counted
from srqueue.run.banks import BankDir, BankNote, create_bank, gigabytes
from srqueue.run.listing import Listing
from workers.trainer.bank_builder import Builder
from workers.trainer.data.bank import Bank, Damaged
from workers.trainer.data.layout import Layout, note_of
from workers.trainer.data.pictures import Pictures, free_memory
from workers.trainer.reporter import Reporter


@dataclass(frozen=True)
class BankPlace:
    """What attempt.json says: folder of all banks, their quota (bytes, 0 for none), and what share of the
    free memory decoded pictures may take."""

    folder: Path
    quota: int = 0
    ram: float = 0.5

    @classmethod
    def of(cls, given: dict[str, Any]) -> BankPlace | None:
        """The place in an attempt's note; None where it names none."""
        raw = given.get("bank")
        return cls(Path(raw["folder"]), int(raw["quota"]), float(raw["ram"])) if raw else None


@dataclass(frozen=True)
class BankedSet:
    """Pictures of an attempt, and the listing that they are from."""

    pictures: Pictures
    listing: Listing
    listing_file: str


class Banking:
    """Decides for each of `sets`, in order, and fills banks beside the training.

    It never changes what is trained on: where a bank is missing, unfinished or damaged, pictures are decoded.
    `wanted`: the spec's `compute.bank`.
    """

    def __init__(self, sets: list[BankedSet], wanted: bool | str, place: BankPlace | None) -> None:
        self._place = place if wanted is not False else None
        self._sets, self._asked = sets, wanted is True
        self._banks: dict[str, Bank] = {}
        self._unfinished: list[tuple[BankDir, BankedSet, BankNote]] = []
        self._builder: Builder | None = None
        self._reporter: Reporter | None = None
        self._told: set[str] = set()
        ram = place.ram if place else 0.5
        free = free_memory()
        left = free * ram
        self._over: list[BankedSet] = []
        for one in sets:
            if wanted is True or one.pictures.bytes > left:
                self._over.append(one)
                one.pictures.keep_free = int(free * (1 - ram))
            else:
                left -= one.pictures.bytes
                # The training itself takes memory, too: what was meant to fit is kept all the same.
                one.pictures.keep_free = int(free * (1 - ram) / 2)

    def in_memory(self, pictures: Pictures) -> bool:
        """Whether all of them are kept once they were decoded."""
        return all(one.pictures is not pictures for one in self._over)

    def begin(self, reporter: Reporter) -> None:
        """Opens the banks that are there, and begins to build the one that is missing; tells so."""
        self._reporter = reporter
        if self._place is None:
            return
        for one in self._sets:
            try:
                self._open(one, one in self._over)
            except (OSError, Damaged) as error:
                if one in self._over:
                    self._without(one, getattr(error, "strerror", None) or str(error))
        self._build_next()

    def poll(self) -> None:
        """Tells how far the building is, now and then. The loop calls it: no thread writes events."""
        if self._builder is not None and self._reporter is not None and self._builder.look(self._reporter):
            self._builder = None
            self._build_next()

    def close(self) -> None:
        """Ends the builder, which goes on where it stopped beside the next training; gives the banks free."""
        if self._builder is not None:
            self._builder.end()
            self._builder = None
        for bank in self._banks.values():
            bank.close()
        self._banks = {}

    def _open(self, one: BankedSet, needed: bool) -> None:
        place = self._place
        if place is None:
            return
        layout = Layout(one.listing, one.pictures.scale)
        note = note_of(one.listing, one.pictures.scale, layout)
        folder = BankDir(place.folder / note.key)
        if folder.note() is None:
            if not needed:
                return
            made = create_bank(place.folder, note, place.quota, self._tell)
            if isinstance(made, str):
                self._without(one, made)
                return
        bank = self._banks.get(note.key)
        if bank is None:
            bank = self._banks[note.key] = Bank(folder, layout)
        one.pictures.use_bank(bank, {p.path: place for place, p in enumerate(one.listing.pictures)})
        if not needed or self._reporter is None:
            return
        if folder.done(note.pictures) == note.pictures:
            size = gigabytes(note.bytes)
            self._reporter.message(
                "info", f"the pictures of {note.name} are read from their crop bank of {size}"
            )
        elif all(unfinished != folder for unfinished, _, _ in self._unfinished):
            self._unfinished.append((folder, one, note))

    def _tell(self, text: str) -> None:
        if self._reporter is not None:
            self._reporter.message("info", text)

    def _build_next(self) -> None:
        if not self._unfinished or self._reporter is None or self._place is None:
            return
        folder, one, note = self._unfinished.pop(0)
        why = f"{gigabytes(one.pictures.bytes)} of pixels are more than memory should hold"
        try:
            done = folder.done(note.pictures)
            self._builder = Builder(folder, note, self._place.quota, one.listing_file, one.pictures.scale)
        except OSError as error:  # no room for another process, say: what is there is used
            self._without(one, error.strerror or str(error))
            return
        self._reporter.message(
            "info",
            f"{'compute.bank asks for it' if self._asked else why}: the crop bank of {note.name} "
            f"({gigabytes(note.bytes)}) is built beside the training, {done} of "
            f"{counted(note.pictures, 'picture')} are there",
        )

    def _without(self, one: BankedSet, why: str) -> None:
        """Told once: pictures to train on and to validate on may be of one data set."""
        if self._reporter is not None and one.listing.name not in self._told:
            self._told.add(one.listing.name)
            self._reporter.message(
                "warning",
                f"no crop bank of {one.listing.name}: {why}; pictures that do not stay in memory are decoded "
                "again each time they are used",
            )
