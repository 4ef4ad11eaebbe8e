"""Whether the workers of a queue train signed jobs only: said in Redis, so that a submit can tell at once.

It is a courtesy: workers go by their own key, whatever stands here.
"""

from __future__ import annotations

from srqueue.errors import UsageError
from srqueue.store.connection import Connection
from srqueue.store.signing import Keyring

_HINT = "set SRQUEUE_SIGNING_KEY to the key that the workers have; compare: srqueue signing status"


def wanted_keys(connection: Connection) -> tuple[str, ...]:
    """Ids of the keys that workers asked for; none where they train what is not signed, too."""
    with connection.reach() as client:
        told = client.get(connection.keys.signing)
    return tuple(str(told).split(",")) if told else ()


def ask_for_signatures(connection: Connection, keyring: Keyring) -> None:
    """A worker says by which keys it goes."""
    with connection.reach() as client:
        client.set(connection.keys.signing, ",".join(keyring.ids))


def ask_for_none(connection: Connection) -> None:
    """Who submits needs no key any more; workers that have one still want signatures, and will say so."""
    with connection.reach() as client:
        client.delete(connection.keys.signing)


def check_key(connection: Connection, keyring: Keyring) -> None:
    """Raises UsageError where the workers would refuse what is signed by this key, or by none."""
    wanted = wanted_keys(connection)
    if not wanted or (keyring and keyring.ids[0] in wanted):
        return
    if not keyring:
        raise UsageError(
            "the workers of this queue train signed jobs only, and there is no key here",
            where="SRQUEUE_SIGNING_KEY",
            hint=_HINT,
        )
    raise UsageError(
        f"the workers of this queue accept the key {' and '.join(wanted)}, and the one here is "
        f"{keyring.ids[0]}",
        where="SRQUEUE_SIGNING_KEY",
        hint=_HINT,
    )
