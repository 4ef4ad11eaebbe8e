"""`srqueue watch`: look at a job until it ends."""

from __future__ import annotations

from srqueue.cli.verbs import AsJson, JobRef


def watch(job: JobRef, as_json: AsJson = False) -> None:
    """Watch a job until it ends or is paused; Ctrl-C stops watching, not the job."""
    from srqueue.cli.live import watch_to_end
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    store = Store.connect(load_settings())
    watch_to_end(store, store.resolve(job), as_json)
