"""python -m workers.verifying: reads a request (JSON) on stdin, prints a line a spec and the verdict."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from srqueue.errors import SrqueueError
from srqueue.spec.job import JobSpec
from srqueue.spec.variations import variations
from workers.trainer.commit_points import COMMIT_POINTS
from workers.verifying.mutants import mutants
from workers.verifying.pictures import make_pictures
from workers.verifying.verdict import Verdict, Verifier


def main() -> int:
    """0 where all is identical, 1 where it is not, 2 where a spec does not hold."""
    request: dict[str, Any] = json.load(sys.stdin)
    spec = JobSpec.model_validate(request["spec"])
    specs = variations(spec) if request["all"] else {"as given": spec}
    folder = Path(request["keep"] or tempfile.mkdtemp(prefix="srqueue-verify-"))
    verdicts: list[Verdict] = []
    try:
        verifier = Verifier(folder, make_pictures(folder), request["device"], request["seed"])
        if request["mutants"]:
            return _prove(verifier, spec, request["seed"], request["json"])
        for name, each in specs.items():
            verdicts.append(verifier.verify(name, each, COMMIT_POINTS, request["kills"], request["stops"]))
            _say(_line(verdicts[-1]))
    except SrqueueError as error:
        _say(f"error: {error}")
        return error.exit_code
    finally:
        if not request["keep"] and all(v.identical for v in verdicts):
            shutil.rmtree(folder, ignore_errors=True)
    if request["json"]:
        print(json.dumps([asdict(v) | {"identical": v.identical} for v in verdicts], indent=2))
    _say(_summary(verdicts, folder))
    return 0 if all(v.identical for v in verdicts) else 1


def _prove(verifier: Verifier, spec: JobSpec, seed: int, as_json: bool) -> int:
    """0 where every mutant is caught."""
    found = []
    for caught in mutants(verifier, spec, seed):
        found.append(caught)
        word = "caught" if caught.by else "unseen"
        by = f": {', '.join(caught.by[:3])}" if caught.by else ", and made again" if caught.cached else ""
        _say(f"{word if caught.right else 'WRONG: ' + word}  without {caught.mutant} ({caught.scenario}){by}")
    if as_json:
        print(json.dumps([asdict(caught) | {"right": caught.right} for caught in found], indent=2))
    bad = [caught.mutant for caught in found if not caught.right]
    if bad:
        _say(f"NOT proven: {', '.join(bad)}")
    else:
        _say(f"proven: each of {len(found)} fields of a checkpoint is missed where it is not brought back")
    return 1 if bad else 0


def _line(verdict: Verdict) -> str:
    word = "identical" if verdict.identical else "DIFFERENT" if verdict.unlike else "TOO SHORT"
    told = f"{word}  {verdict.name}: {verdict.compared} digests after {len(verdict.landed)} ends"
    parts = [
        f"differing: {', '.join(verdict.differing[:5])}" if verdict.differing else "",
        "; ".join(dict.fromkeys(verdict.wrong)),
        f"not tried: {', '.join(verdict.missed)}" if verdict.missed else "",
    ]
    return f"{told} ({verdict.seconds:.0f} s)" + "".join(f"\n           {part}" for part in parts if part)


def _summary(verdicts: list[Verdict], folder: Path) -> str:
    ends = sum(len(v.landed) for v in verdicts)
    bad = [v.name for v in verdicts if not v.identical]
    if bad:
        if not any(v.unlike for v in verdicts):
            return "NOT proven: over before all ends were tried; take a longer train.total_iter"
        return f"NOT exact: {', '.join(bad)}; the runs are in {folder}"
    what = "the run ends" if len(verdicts) == 1 else f"each of {len(verdicts)} runs ends"
    return (
        f"exact: after {ends} ends, each with a checkpoint before it, {what} with an undisturbed one's bits"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
