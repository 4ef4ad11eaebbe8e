"""Groups: cells that differ only in their seed, and boards of groups that may be compared."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from srqueue.campaign.cells import Cell
from srqueue.campaign.verdict.entry import SUCCEEDED, Entry
from srqueue.campaign.verdict.student import above

SEED_KEYS = ("seed", "manual_seed")
_OTHERWISE = 0.001  # the chance that some group of equals is taken for one that scatters otherwise


@dataclass(frozen=True)
class Group:
    """Cells of one stage that differ only in their seed. Figures are of the cells that succeeded; where none
    did, of those that were measured."""

    label: str
    stage: str
    cells: tuple[Entry, ...]

    @cached_property
    def measured(self) -> tuple[Entry, ...]:
        """The cells that the figures are of."""
        known = [cell for cell in self.cells if cell.psnr is not None]
        return tuple([cell for cell in known if cell.state == SUCCEEDED] or known)

    @property
    def finished(self) -> bool:
        """Whether the figures are those of cells that succeeded."""
        return bool(self.measured) and self.measured[0].state == SUCCEEDED

    @cached_property
    def mean(self) -> float | None:
        """PSNR-Y in dB, the mean over seeds."""
        return mean_of(cell.psnr for cell in self.measured)

    @cached_property
    def sd(self) -> float | None:
        """Spread over seeds in dB, with n - 1; None for one."""
        values = [cell.psnr for cell in self.measured if cell.psnr is not None]
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def n(self) -> int:
        """Seeds that were measured."""
        return len(self.measured)

    @property
    def best(self) -> Entry | None:
        """The cell with the best PSNR."""
        return max(self.measured, key=lambda cell: cell.psnr or -math.inf, default=None)

    @property
    def ssim(self) -> float | None:
        """The mean over seeds."""
        return mean_of(cell.ssim for cell in self.measured)

    @property
    def gain(self) -> float | None:
        """dB above bicubic, the mean over seeds."""
        base = mean_of(cell.bicubic_psnr for cell in self.measured)
        return None if base is None or self.mean is None else self.mean - base

    @property
    def hours(self) -> float | None:
        """Of training, the mean over seeds."""
        return mean_of(cell.hours for cell in self.measured)

    @property
    def parameters(self) -> int | None:
        """Weights of the network."""
        return next((c.scores.parameters for c in self.measured if c.scores and c.scores.parameters), None)

    @property
    def ms_per_megapixel(self) -> float | None:
        """Of inference; None where it was not measured, or not on one device: then figures mean nothing."""
        timed = [c.scores for c in self.measured if c.scores and c.scores.ms_per_megapixel]
        if len({scores.device for scores in timed}) != 1:
            return None
        return statistics.median(scores.ms_per_megapixel or 0.0 for scores in timed)

    @property
    def device(self) -> str:
        """What its inference was timed on; several, with ` + `."""
        names = [c.scores.device for c in self.measured if c.scores and c.scores.ms_per_megapixel]
        return " + ".join(dict.fromkeys(names))


@dataclass(frozen=True)
class Board:
    """Groups whose figures may be compared, the best mean first. Those that have not finished come behind,
    those without figures last."""

    validated: str
    groups: tuple[Group, ...]

    @property
    def measured(self) -> tuple[Group, ...]:
        """Those with figures."""
        return tuple(group for group in self.groups if group.mean is not None)

    @cached_property
    def noise(self) -> tuple[float, int] | None:
        """(sd in dB, degrees of freedom) of a seed, pooled over `usual`; None where none has two seeds."""
        return _pooled(self.usual)

    def noise_of(self, *groups: Group) -> tuple[float, int] | None:
        """The same for comparing `groups`, whose own spread counts however large it is."""
        return _pooled([*self.usual, *(group for group in _repeated(groups) if group not in self.usual)])

    @cached_property
    def usual(self) -> tuple[Group, ...]:
        """Groups that finished with several seeds and scatter about as much as the others.

        A network of which one seed has diverged may scatter by dB where the others do by hundredths: pooled
        with them it would make every difference on the board look like luck. So, from the less scattered half
        on, the next is taken while an F test lets it; of equals it stops at about one board in 1,000.
        """
        order = sorted(_repeated(self.measured), key=lambda group: group.sd or 0.0)
        taken = order[: (len(order) + 1) // 2]
        for group in order[len(taken) :]:
            sd, freedom = _pooled(taken) or (0.0, 0)
            ratio = ((group.sd or 0.0) / sd) ** 2 if sd else 0.0  # seeds that differ by nothing say nothing
            if above(ratio, group.n - 1, freedom) < _OTHERWISE / len(order):
                break
            taken.append(group)
        return tuple(taken)


def _repeated(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if group.sd is not None and group.finished]


def _pooled(groups: Sequence[Group]) -> tuple[float, int] | None:
    freedom = sum(group.n - 1 for group in groups)
    if not freedom:
        return None
    return math.sqrt(sum((group.n - 1) * (group.sd or 0.0) ** 2 for group in groups) / freedom), freedom


def boards(entries: Iterable[Entry]) -> tuple[Board, ...]:
    """One a validation set; where the content of a training set changed, one a content as well.

    The board with most figures comes first.
    """
    cells = list(entries)
    changed = {name for name, identities in identities_of(cells).items() if len(identities) > 1}
    stages = len({cell.stage for cell in cells}) > 1
    places: dict[tuple[str, ...], dict[str, list[Entry]]] = {}
    for cell in cells:
        content: tuple[str, ...] = (cell.data[1][:12],) if cell.data[0] in changed else ()
        key = json.dumps([cell.stage, sorted(_axes(cell).items())], default=str)
        places.setdefault((*cell.validated, *content), {}).setdefault(key, []).append(cell)
    found = []
    for place, groups in places.items():
        made = [Group(label(some[0], stages), some[0].stage, tuple(some)) for some in groups.values()]
        made.sort(key=lambda g: (g.mean is None, not g.finished, -(g.mean or 0.0), g.label))
        first = made[0].cells[0]
        told = f", trained on {first.data[0]} {place[-1]}" if first.data[0] in changed else ""
        found.append(Board(first.validated_text + told, tuple(made)))
    order = sorted(found, key=lambda board: (-len(board.measured), -len(board.groups), board.validated))
    return tuple(order)


def label(entry: Entry, with_stage: bool) -> str:
    """A group for people: `fidelity: cc0 · compact · lr 0.001`."""
    text = Cell(entry.stage, _axes(entry), {}, ()).label
    return f"{entry.stage}: {text}" if with_stage and text != entry.stage else text


def identities_of(cells: Sequence[Entry]) -> dict[str, set[str]]:
    """The contents that were trained on under each name."""
    found: dict[str, set[str]] = {}
    for cell in cells:
        if all(cell.data):
            found.setdefault(cell.data[0], set()).add(cell.data[1])
    return found


def mean_of(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _axes(entry: Entry) -> dict[str, object]:
    return {key: value for key, value in entry.axes.items() if key not in SEED_KEYS}
