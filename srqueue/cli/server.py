"""`srqueue server`: the embedded server in the foreground."""

from __future__ import annotations


def server() -> None:
    """Run the embedded server in the foreground (for the Procfile or a service unit).

    With SRQUEUE_REDIS_URL set it only waits, as that server is used.
    """
    import os
    import signal

    from srqueue.cli.output import say
    from srqueue.errors import ConflictError, ServiceUnreachable
    from srqueue.settings import load_settings
    from srqueue.stack.folders import prepare
    from srqueue.stack.server import server_argv
    from srqueue.store.store import Store

    settings = load_settings()
    if settings.redis_url is not None:
        say(f"using {settings.shown_url} (SRQUEUE_REDIS_URL): no server is started here")
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        return
    prepare(settings)
    try:
        Store.connect(settings)
    except ServiceUnreachable:
        argv = server_argv(settings)
        os.umask(0o077)
        os.execv(argv[0], argv)
    raise ConflictError(
        "the embedded server runs already", where=str(settings.socket), hint="stop it: srqueue down"
    )
