"""`srqueue dataset`: which pictures this machine knows, and by which name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli import bank, complete, data_remote
from srqueue.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from srqueue.datasets import CheckReport, DatasetEntry, FoundBank
    from srqueue.settings import Settings

app = typer.Typer(
    help="Register folders of pictures under a name, look at them, check them.", no_args_is_help=True
)

_ALIKE = 10
"""Pairs of pictures that are nearly the same, shown to a person."""

app.command("pack")(bank.pack)
app.command("gc")(bank.gc)
app.command("publish")(data_remote.publish)
app.command("sync")(data_remote.sync)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="Name of a data set.", autocompletion=complete.datasets)]


@app.command("add")
def add_dataset(
    name: Annotated[str, typer.Argument(help="The name jobs use: letters, digits, '.', '_', '-'.")],
    hr: Annotated[
        list[Path],
        typer.Option(help="Folder of the originals: PNG, JPEG or WebP, subfolders included. Repeatable."),
    ],
    lr: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of the small pictures, one for each --hr; without it they are made."),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(help="2, 3 or 4; found out from HR and LR where left out.")
    ] = None,
    val: Annotated[
        str | None, typer.Option(help="Another data set to validate on.", autocompletion=complete.datasets)
    ] = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(help="A picture to validate on; may be given several times. Without it and --val: 1 %."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the pictures, as a note.")] = None,
    source: Annotated[str | None, typer.Option(help="Where they come from, as a note.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a data set of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Look at every picture of a folder and register it. Pictures are never moved or changed."""
    from srqueue.datasets import Registry, add
    from srqueue.settings import load_settings

    settings = load_settings()
    before = Registry(settings).find(name)
    entry = add(settings, name, hr, lr, scale, val, hold_out, licence, source, replace, tell=say)
    change = "unchanged" if entry == before else "replaced" if before else "added"
    if as_json:
        print_json({**_as_dict(entry), "change": change})
        return
    print(f"{name}: {change}. {_summary(entry)}")
    if change != "unchanged":
        say(f"train on it: srqueue submit {name}")


@app.command("ls")
def list_datasets(as_json: Json = False) -> None:
    """List the data sets of this machine."""
    from srqueue.datasets import Registry
    from srqueue.settings import load_settings

    settings = load_settings()
    registry = Registry(settings)
    entries, found = registry.entries(), _banks_by_identity(settings)
    if as_json:
        print_json([{**_as_dict(e), "banks": found.get(e.identity, [])} for e in entries])
    elif not entries:
        say(f"no data sets in {registry.file}; add one: srqueue dataset add NAME --hr FOLDER")
    else:
        print_table(
            ["NAME", "PICTURES", "SCALE", "VALIDATED ON", "CROP BANK", "ADDED", "FOLDER"],
            [_row(e, found.get(e.identity, [])) for e in entries],
        )


@app.command("show")
def show_dataset(name: Name, as_json: Json = False) -> None:
    """Show one data set: folders, sizes, what is held out, what cannot be used."""
    from srqueue.datasets import Registry
    from srqueue.datasets.names import first_five, shown
    from srqueue.run.listing import Listing
    from srqueue.settings import load_settings

    settings = load_settings()
    registry = Registry(settings)
    entry = registry.get(name)
    found = _banks_by_identity(settings).get(entry.identity, [])
    listing = Listing.read(registry.listing_file(name))
    held_out = [picture.path for picture in listing.held_out()]
    if as_json:
        print_json(
            {
                **_as_dict(entry),
                "held_out_pictures": held_out,
                "quarantined_pictures": listing.quarantined,
                "banks": found,
            }
        )
        return
    rows = {
        "name": entry.name,
        **_folder_rows("HR folder", entry.hr_roots),
        **(_folder_rows("LR folder", entry.lr_roots) or {"LR folder": "none: made from HR"}),
        "scale": str(entry.scale or "any"),
        "pictures": f"{entry.pictures} ({', '.join(f'{n} {kind}' for kind, n in entry.kinds.items())})",
        "smallest": f"{entry.min_width} wide, {entry.min_height} high",
        "median": f"{entry.median_width} wide, {entry.median_height} high" if entry.median_width else "-",
        "sharpness": f"{entry.sharpness:.3f}" if entry.sharpness else "-",
        "bicubic PSNR-Y": f"{entry.pair_psnr:.2f} dB, median of the pairs" if entry.pair_psnr else "-",
        "validated on": entry.val
        or (f"{len(held_out)} held out: {first_five(held_out)}" if held_out else "nothing"),
        "cannot be used": str(entry.quarantined),
        "crop bank": ", ".join(f"{bank.bank_text([b])}: {b.path}" for b in found) or "-",
        "licence": entry.licence or "-",
        "source": entry.source or "-",
        "added": entry.added,
        "identity": entry.identity,
    }
    for key, value in rows.items():
        print(f"{key:<15} {shown(value)}")
    for path, reason in list(listing.quarantined.items())[:20]:
        print(f"  {shown(path)}: {shown(reason)}")


@app.command("check")
def check_dataset(name: Name, as_json: Json = False) -> None:
    """Read every picture again: changed, missing or broken files, wrong pairs, and pictures
    that are both trained and validated on.

    Exit code 1 where something changed or is wrong; what was left out when it was added, and
    pictures that are nearly trained on twice, are listed only.
    """
    from srqueue.datasets import check
    from srqueue.settings import load_settings

    report = check(load_settings(), name, tell=say)
    if as_json:
        print_json({**_as_dict(report), "sound": report.sound})
    else:
        _print_report(report)
    if not report.sound:
        raise typer.Exit(1)


@app.command("rm")
def remove_dataset(name: Name, as_json: Json = False) -> None:
    """Forget a data set. Its pictures stay where they are."""
    from srqueue.datasets import Registry
    from srqueue.datasets.names import shown
    from srqueue.settings import load_settings

    settings = load_settings()
    entry = Registry(settings).remove(name)
    if as_json:
        print_json({**_as_dict(entry), "change": "removed"})
    else:
        print(f"{name}: forgotten; its pictures are still in {shown(', '.join(entry.hr_roots))}")
        if entry.identity in _banks_by_identity(settings):
            say("its crop bank is still there; free it: srqueue dataset gc")


def _as_dict(value: DatasetEntry | CheckReport) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(value)


def _summary(entry: DatasetEntry) -> str:
    from srqueue.counting import counted

    kinds = ", ".join(f"{n} {kind}" for kind, n in entry.kinds.items())
    parts = [f"{counted(entry.pictures, 'picture')} ({kinds})"]
    parts.append(f"validated on {_validated_on(entry)}")
    if entry.scale:
        parts.append(f"scale {entry.scale}")
    if entry.pair_psnr:
        parts.append(f"bicubic PSNR-Y {entry.pair_psnr:.2f} dB (median)")
    if entry.quarantined:
        parts.append(f"{entry.quarantined} cannot be used")
    return ", ".join(parts)


def _folder_rows(key: str, roots: tuple[str, ...]) -> dict[str, str]:
    """One row a folder; several carry the number that the names of their pictures begin with."""
    several = len(roots) > 1
    return {
        f"{key} {number}" if several else key: root + ("" if Path(root).is_dir() else "  (is not there)")
        for number, root in enumerate(roots, 1)
    }


def _validated_on(entry: DatasetEntry) -> str:
    return entry.val or (f"{entry.held_out} held out" if entry.held_out else "nothing")


def _banks_by_identity(settings: Settings) -> dict[str, list[FoundBank]]:
    from srqueue.datasets import banks

    found: dict[str, list[FoundBank]] = {}
    for one in banks(settings):
        found.setdefault(one.identity, []).append(one)
    return found


def _row(entry: DatasetEntry, banks: list[FoundBank]) -> list[str]:
    from srqueue.datasets.names import shown

    there = "" if all(Path(root).is_dir() for root in entry.hr_roots) else "  (is not there)"
    more = f" and {len(entry.hr_roots) - 1} more" if len(entry.hr_roots) > 1 else ""
    return [
        entry.name,
        str(entry.pictures),
        str(entry.scale or "any"),
        _validated_on(entry),
        bank.bank_text(banks) or "-",
        entry.added[:10],
        shown(entry.hr_roots[0]) + more + there,
    ]


def _print_report(report: CheckReport) -> None:
    """One row a finding; the pictures that cannot be used are told, but are nothing new."""
    from srqueue.counting import counted
    from srqueue.datasets.names import shown

    rows = [["missing", path, ""] for path in report.missing]
    rows += [["changed", path, "other content than when it was added"] for path in report.changed]
    rows += [["corrupt", path, reason] for path, reason in report.corrupt.items()]
    rows += [["pair", pair["path"], _pair_text(pair)] for pair in report.pairs if pair["remark"]]
    rows += [
        [
            "duplicate",
            hit["train"],
            f"is also validated on as {hit['val']} (correlation {hit['correlation']})",
        ]
        for hit in report.duplicates
    ]
    rows += [
        ["(alike)", hit["one"], f"nearly {hit['other']} ({hit['correlation']})"]
        for hit in report.alike[:_ALIKE]
    ]
    if len(report.alike) > _ALIKE:
        rows.append(["(alike)", f"and {counted(len(report.alike) - _ALIKE, 'more pair')}", ""])
    rows += [["(new)", path, "not used until the data set is added again"] for path in report.new]
    rows += [["(not used)", path, reason] for path, reason in report.quarantined.items()]
    if rows:
        print_table(["WHAT", "PICTURE", "REMARK"], [[shown(cell) for cell in row] for row in rows])
    values = [pair["psnr"] for pair in report.pairs if pair["psnr"] is not None]
    if values:
        mean, least, most = sum(values) / len(values), min(values), max(values)
        print(f"bicubic PSNR-Y of {counted(len(values), 'pair')}: {mean:.2f} dB ({least:.2f} to {most:.2f})")
    left_out = len(report.quarantined)
    well = f"nothing has changed, {left_out} quarantined: cannot be used" if left_out else "all is well"
    pictures = counted(report.pictures, "picture")
    print(f"{report.name}: {pictures}, {well if report.sound else 'something is wrong'}")


def _pair_text(pair: dict[str, object]) -> str:
    psnr = pair["psnr"]
    return str(pair["remark"]) + (f" ({psnr:.2f} dB)" if isinstance(psnr, float) else "")
