"""`srqueue signing`: the key that jobs are signed with."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue.cli.options import AsJson

app = typer.Typer(help="The key that jobs are signed with.", no_args_is_help=True)


@app.command("new-key")
def new_key() -> None:
    """Print a new key for SRQUEUE_SIGNING_KEY; nothing of it is kept anywhere."""
    import secrets

    print(secrets.token_hex(32))


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Show whether the workers want jobs signed, and whether the key here is the one; exit code 1 if not."""
    from srqueue.cli.output import print_json, say
    from srqueue.errors import UsageError
    from srqueue.settings import load_settings
    from srqueue.store.connection import Connection
    from srqueue.store.signed_queue import check_key, wanted_keys
    from srqueue.store.signing import Keyring

    settings = load_settings()
    connection, keyring = Connection(settings), Keyring.of(settings)
    wanted, problem = wanted_keys(connection), None
    try:
        check_key(connection, keyring)
    except UsageError as error:
        problem = error.message
    if as_json:
        print_json({"wanted": wanted, "own": keyring.ids, "fits": problem is None})
    else:
        print(f"workers want   {' or '.join(wanted) or 'no signatures'}")
        print(f"the key here   {', the one before it '.join(keyring.ids) or 'none (SRQUEUE_SIGNING_KEY)'}")
    if problem:
        say(f"error: {problem}")
        raise typer.Exit(1)


@app.command("sign")
def sign(
    jobs: Annotated[
        list[str], typer.Argument(metavar="JOB...", help="Ids, ends of ids, or names, of jobs you looked at.")
    ],
) -> None:
    """Sign jobs as they stand: those of before there was a key, or of before it was changed.

    A failed one goes on with `srqueue retry JOB`. Look at it first: srqueue show JOB.
    """
    from srqueue.queue.client import Client

    client = Client()
    for ref in jobs:
        job = client.sign(ref)
        print(f"{job.name} {job.id}: signed")


@app.command("off")
def off() -> None:
    """Let everybody submit without a key again, once the workers were started without one."""
    from srqueue.settings import load_settings
    from srqueue.store.audit import Audit
    from srqueue.store.connection import Connection
    from srqueue.store.signed_queue import ask_for_none

    connection = Connection(load_settings())
    Audit(connection).note("signing off", "")
    ask_for_none(connection)
    print("no signatures are asked for; a worker that has a key still wants them, and says so within seconds")
