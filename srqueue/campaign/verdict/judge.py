"""The verdict: boards, comparisons, what was refused, and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from srqueue.campaign.verdict.entry import SUCCEEDED, Entry
from srqueue.campaign.verdict.groups import Board, Group, boards, identities_of
from srqueue.campaign.verdict.paired import ALL_PAIRS_OF, MOST_AGAINST, Comparison, comparisons

_NAMED = 4
_COMPLETED = ("", "completed")


@dataclass(frozen=True)
class Verdict:
    """What a campaign came to. `pairs`: of each board its comparisons; `remarks`: what must not be compared,
    and what is missing."""

    entries: tuple[Entry, ...]
    boards: tuple[Board, ...]
    pairs: tuple[tuple[Comparison, ...], ...]
    remarks: tuple[str, ...]

    @property
    def winner(self) -> Entry | None:
        """The best cell of the leader of the first board."""
        leader = leader_of(self.boards[0]) if self.boards else None
        return leader.best if leader else None

    @property
    def stopped(self) -> tuple[Entry, ...]:
        """Cells that have ended otherwise than by training to their end."""
        ended = (SUCCEEDED, "failed", "cancelled")
        return tuple(e for e in self.entries if (e.state in ended and not _completed(e)) or e.at_rung)

    @property
    def sentence(self) -> str:
        """Who leads the first board, and whether that is more than noise."""
        leader = leader_of(self.boards[0]) if self.boards else None
        if leader is None or leader.mean is None:
            return "nothing was measured"
        spread = f" ± {leader.sd:.2f}" if leader.sd is not None else ""
        seeds = f" ({leader.n} seeds)" if leader.n > 1 else " (one seed)"
        so_far = "" if leader.finished else ", not finished"
        text = f"{leader.label} leads with {leader.mean:.2f}{spread} dB{seeds}{so_far}"
        if self.pairs and self.pairs[0]:
            nearest = self.pairs[0][0]
            text += f", {nearest.difference:+.2f} dB against {nearest.other.label} ({nearest.why})"
        others = len([board for board in self.boards[1:] if board.measured])
        return text + (f"; {others} more on other pictures" if others else "")


def judge(entries: Iterable[Entry]) -> Verdict:
    """Judges what there is; unfinished cells count, with what they have reached, where no seed finished."""
    cells = tuple(entries)
    found = boards(cells)
    pairs = tuple(comparisons(board) for board in found)
    return Verdict(cells, found, pairs, tuple(_remarks(cells, found)))


def leader_of(board: Board) -> Group | None:
    """The first group with figures."""
    return next(iter(board.measured), None)


def _completed(entry: Entry) -> bool:
    return entry.state == SUCCEEDED and entry.reason in _COMPLETED


def _remarks(cells: Sequence[Entry], found: Sequence[Board]) -> list[str]:
    told = []
    for name, identities in sorted(identities_of(cells).items()):
        if len(identities) > 1:
            told.append(
                f"data set {name} changed between cells, its content is {_either(identities)}: cells "
                "that were trained on one are not compared with those of another"
            )
    contents: dict[tuple[str, ...], set[str]] = {}
    for cell in cells:
        if len(cell.validated) == 3:
            name = cell.validated_text.split(" ")[0]
            contents.setdefault((name, *cell.validated[1:]), set()).add(cell.validated[0])
    for (name, *_), identities in sorted(contents.items()):
        if len(identities) > 1:
            which = [c for c in cells if c.validated[0] == sorted(identities)[0]]
            told.append(
                f"validation set {name} changed between cells, its content is {_either(identities)}: "
                f"comparison refused between those of the one ({_names(which)}) and the others"
            )
    if len(found) > 1:
        told.append(
            f"cells were validated on {len(found)} different sets of pictures; each has a leaderboard of its "
            "own, and figures of two of them cannot be compared"
        )
    bare = [c for c in cells if c.state == SUCCEEDED and c.psnr is not None and not _pictures(c)]
    if bare:
        told.append(
            f"of {len(bare)} of {len(cells)} cells no figures of single pictures are known ({_names(bare)}): "
            "they have no paired comparison. They were ended by a request (a budget, a cancel), trained by "
            "an older version, or their files are out of reach"
        )
    for board in found:
        if (number := len(board.measured)) > ALL_PAIRS_OF:
            told.append(
                f"on {board.validated} the leader alone was compared, with the "
                f"{min(number - 1, MOST_AGAINST)} nearest: {number} groups have too many pairs"
            )
    return told


def _pictures(cell: Entry) -> bool:
    return cell.scores is not None and bool(cell.scores.pictures)


def _either(identities: Iterable[str]) -> str:
    return " or ".join(identity[:12] for identity in sorted(identities))


def _names(cells: Sequence[Entry]) -> str:
    told = ", ".join(f"{cell.name} {cell.short_id}" for cell in cells[:_NAMED])
    return told + (f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else "")
