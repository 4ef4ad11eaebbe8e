"""`srqueue quota`: how many jobs each user may have running and queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.verbs import AsJson

if TYPE_CHECKING:
    from srqueue.store.quotas import Quotas

app = typer.Typer(no_args_is_help=True, help="How many jobs each user may have running and queued.")

User = Annotated[str, typer.Argument(metavar="USER", help="As `srqueue quota ls` names him.")]


@app.command("ls")
def list_quotas(as_json: AsJson = False) -> None:
    """List users: what runs, what waits, what they trained lately, and their quotas."""
    import dataclasses

    from srqueue.cli.output import print_json, print_table, say
    from srqueue.counting import span

    found = _quotas().all()
    if as_json:
        print_json([dataclasses.asdict(user) for user in found])
    elif not found:
        say("nobody has submitted a job yet")
    else:
        rows = [
            [
                user.name, _of(user.running, user.most_running), _of(user.waiting, user.most_queued),
                span(user.used_s),
            ]
            for user in found
        ]  # fmt: skip
        print_table(["USER", "RUNNING", "QUEUED", "TRAINED LATELY"], rows)


@app.command("set")
def set_quota(
    user: User,
    running: Annotated[
        int | None, typer.Option("--running", min=0, help="Jobs at a time; more wait for their turn.")
    ] = None,
    queued: Annotated[
        int | None, typer.Option("--queued", min=0, help="Jobs queued or held; a submit of more is refused.")
    ] = None,
) -> None:
    """Bound a user; what runs already goes on."""
    from srqueue.errors import UsageError

    if running is None and queued is None:
        raise UsageError("no bound is given", hint=f"srqueue quota set {user} --running 4 --queued 100")
    _quotas().set(user, running=running, queued=queued)
    parts = [
        f"{most} {what}" for most, what in ((running, "running"), (queued, "queued")) if most is not None
    ]
    print(f"{user}: at most {' and '.join(parts)}")


@app.command("rm")
def remove_quota(user: User) -> None:
    """Take a user's quota away."""
    _quotas().remove(user)
    print(f"{user} has no quota any more")


def _quotas() -> Quotas:
    from srqueue.settings import load_settings
    from srqueue.store.quotas import Quotas
    from srqueue.store.store import Store

    return Quotas(Store.connect(load_settings()).connection)


def _of(has: int, most: int | None) -> str:
    return str(has) if most is None else f"{has} of {most}"
