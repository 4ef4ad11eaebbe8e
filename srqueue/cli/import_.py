"""`srqueue import`: take over a configuration of traiNNer-redux."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli import complete
from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.spec.redux_train import Imported


def import_redux(
    old: Annotated[Path, typer.Argument(metavar="OLD.yml", help="A training YAML of traiNNer-redux.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of to stdout.")
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            help="The network, in place of the YAML's; spandrel:NAME is one of the spandrel library.",
            autocompletion=complete.architectures,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a traiNNer-redux YAML into ours, and list what could not be carried over.

    Exit code 1 where what came of it does not hold as it is, as with a network that is not known here.
    """
    from srqueue.cli.output import print_json, say
    from srqueue.cli.writing import write_or_print
    from srqueue.errors import SpecError
    from srqueue.spec.expand import DatasetRef, expand
    from srqueue.spec.presets import load_architecture
    from srqueue.spec.reading import read_mapping
    from srqueue.spec.redux import imported
    from srqueue.spec.text import plain_yaml

    theirs = read_mapping(old)
    if arch is not None:
        theirs = {**theirs, "network_g": load_architecture(arch).tree["network_g"]}
    found = imported(theirs)
    problem = None
    if unknown := found.lost.get("network_g.type"):
        problem = f"network_g.type: {unknown}\n  hint: name one with --arch, or in the file"
    else:
        try:
            expand(DatasetRef(_dataset(found)), overrides=[(str(old), found.spec)])
        except SpecError as error:
            problem = str(error)
    text = "\n".join(_head(old, out, found)) + "\n" + plain_yaml(found.spec)
    if out is not None or not as_json:
        write_or_print(text, out)
    if as_json:
        print_json(
            {
                "spec": found.spec,
                "not_carried_over": found.lost,
                "needless": found.needless,
                "notes": found.notes,
                "problem": problem,
            }
        )
    else:
        for line in _findings(found):
            say(line)
    if problem is not None:
        say(f"error: it does not hold yet, mend it first: {problem}")
        raise typer.Exit(1)


def _head(old: Path, out: Path | None, found: Imported) -> list[str]:
    """Comment lines: the commands that come next."""
    name = _dataset(found)
    lines = [f"From {old.name} (traiNNer-redux), by srqueue import. Train it with:"]
    val = found.folders.get("val")
    if val and val[0]:
        lines.append(f"  srqueue dataset add {name}-val {_flags(val)}")
    train = found.folders.get("train", ([], []))
    folders = _flags(train) or "--hr FOLDER"
    lines.append(f"  srqueue dataset add {name} {folders}" + (f" --val {name}-val" if val and val[0] else ""))
    file = shlex.quote(str(out)) if out else "THIS-FILE"
    lines.append(f"  srqueue submit {name} --config {file}")
    # A name with a line end must not end the comment.
    return ["# " + "".join(c if c.isprintable() else "?" for c in line) for line in lines]


def _flags(folders: tuple[list[str], list[str]]) -> str:
    words = [("--hr", f) for f in folders[0]] + [("--lr", f) for f in folders[1]]
    return " ".join(f"{flag} {shlex.quote(folder)}" for flag, folder in words)


def _dataset(found: Imported) -> str:
    """A name for the data set: the configuration's own."""
    return f"{str(found.spec.get('name', 'imported'))[:55]}-data"


def _findings(found: Imported) -> list[str]:
    lines = [f"note: {note}" for note in found.notes]
    for title, keys in (("not carried over", found.lost), ("not needed here", found.needless)):
        by_reason: dict[str, list[str]] = {}
        for key, why in keys.items():
            by_reason.setdefault(why, []).append(key)
        lines += [f"{title}:"] if keys else []
        lines += [f"  {', '.join(names)}: {why}" for why, names in by_reason.items()]
    return lines or ["everything was carried over"]
