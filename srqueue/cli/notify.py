"""`srqueue notify`: try out whether notices arrive."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue.cli.options import AsJson


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a trial to every address.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where notices go (SRQUEUE_NOTIFY) and what about; `--test` sends a trial.

    Exit code 1 where an address did not take it. Addresses are shown without what is secret in them.
    """
    from srqueue.cli.output import print_json, print_table, say
    from srqueue.errors import UsageError
    from srqueue.notices.said import trial
    from srqueue.notices.sending import addresses, send
    from srqueue.settings import load_settings

    settings = load_settings()
    if settings.notify is None:
        raise UsageError(
            "nobody is to be told: SRQUEUE_NOTIFY is not set",
            where="SRQUEUE_NOTIFY",
            hint="set it to Apprise URLs, such as json://host/path or mailto://user:password@host",
        )
    told = send(settings, trial()) if test else addresses(settings)
    if as_json:
        print_json({"on": sorted(settings.notified), "addresses": told})
    else:
        print(f"on: {', '.join(sorted(settings.notified))}")
        print_table(["ADDRESS", "RESULT"], [[t.address, t.result] for t in told])
    if any(not t.well for t in told):
        say("error: not every address is well")
        raise typer.Exit(1)
