"""What of a job lies in a remote folder, by one listing."""

from __future__ import annotations

from dataclasses import dataclass, field

from srqueue.remote.folder import RemoteFolder
from srqueue.remote.layout import DAMAGED, MANIFEST, RESULTS, JobNames
from srqueue.run.folder import CheckpointName


@dataclass(frozen=True)
class There:
    """`sizes`: bytes of every object by name; `checkpoints`: whole ones by (token, seq), oldest first, none
    that was found damaged; `attempts`: files of each by token; `results`: tokens that left some."""

    names: JobNames
    sizes: dict[str, int]
    checkpoints: tuple[CheckpointName, ...] = ()
    attempts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    results: tuple[int, ...] = ()

    @property
    def newest(self) -> CheckpointName | None:
        return self.checkpoints[-1] if self.checkpoints else None


def look(remote: RemoteFolder, job_id: str) -> There:
    """Raises RemoteUnreachable. A checkpoint without its manifest is none."""
    names = JobNames(job_id)
    sizes = remote.names(names.folder)
    skip = len(names.folder) + 1
    files: dict[str, set[str]] = {}
    attempts: dict[int, list[str]] = {}
    results = []
    for name in sizes:
        kind, _, rest = name[skip:].partition("/")
        part, _, file = rest.partition("/")
        if kind == "checkpoints":
            files.setdefault(part, set()).add(file)
        elif kind == "attempts" and part.isdigit():
            attempts.setdefault(int(part), []).append(file)
        elif kind == "results" and part.isdigit() and file == RESULTS:
            results.append(int(part))
    whole = [
        parsed
        for name, held in files.items()
        if MANIFEST in held and DAMAGED not in held and (parsed := CheckpointName.parse(name))
    ]
    return There(
        names,
        sizes,
        tuple(sorted(whole, key=lambda n: n.order)),
        {token: tuple(sorted(held)) for token, held in sorted(attempts.items())},
        tuple(sorted(results)),
    )
