"""Text for a file that the user names, or for stdout."""

from __future__ import annotations

from pathlib import Path


def write_or_print(text: str, out: Path | None) -> None:
    """Writes `text` to a new file, or prints it. Raises UsageError where it cannot be written."""
    from srqueue.errors import UsageError

    if out is None:
        print(text, end="")
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("the file is there already", where=str(out), hint="choose another --out") from None
    except OSError as error:
        raise UsageError(f"cannot write the file: {error.strerror}", where=str(out)) from None
