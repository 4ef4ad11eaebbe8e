"""Signatures: who holds the key has said this of a job or a campaign, and nobody has changed it since.

A worker that has a key (SRQUEUE_SIGNING_KEY) trains only what is signed by it, so that who can write to Redis
and no more makes it train, and read, nothing. Signed is what decides that: id, name, spec and spec_id. What
the queue changes by itself (state, priority, campaigns, rungs, progress) is not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from srqueue.settings import Settings

_FORM = "1"
_ID_LENGTH = 16


class Said(Protocol):
    """A job, new or stored."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> Mapping[str, Any]: ...
    @property
    def origins(self) -> Mapping[str, str]: ...
    @property
    def spec_id(self) -> str: ...


@dataclass(frozen=True)
class Keyring:
    """The keys of this process: the first signs, all are accepted. Without a key nothing is asked for."""

    keys: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of SRQUEUE_SIGNING_KEY."""
        return cls(tuple(key.encode() for key in settings.signing_keys))

    def __bool__(self) -> bool:
        return bool(self.keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.ids)})"

    @property
    def ids(self) -> tuple[str, ...]:
        """What tells the keys apart, and nothing more of them."""
        return tuple(_id_of(key) for key in self.keys)

    def sign_job(self, job: Said) -> str:
        """The signature of a job; empty where there is no key."""
        return self._sign("job", _said_of(job))

    def sign_campaign(self, name: str, spec: Mapping[str, Any]) -> str:
        """That of a campaign: workers draw cells from it, and sign them."""
        return self._sign("campaign", {"name": name, "spec": spec})

    def wrong_with_job(self, job: Said, signature: str | None) -> str | None:
        """Why the signature does not hold, in words; None where it does, or where nothing is asked for."""
        return self._wrong("job", _said_of(job), signature)

    def wrong_with_campaign(self, name: str, spec: Mapping[str, Any], signature: str | None) -> str | None:
        """The same of a campaign."""
        return self._wrong("campaign", {"name": name, "spec": spec}, signature)

    def _sign(self, kind: str, said: Mapping[str, Any]) -> str:
        if not self.keys:
            return ""
        key = self.keys[0]
        return f"{_FORM}:{_id_of(key)}:{_mac(key, kind, said)}"

    def _wrong(self, kind: str, said: Mapping[str, Any], signature: str | None) -> str | None:
        if not self.keys:
            return None
        if not signature:
            return f"the {kind} is not signed"
        form, _, rest = signature.partition(":")
        key_id, _, mac = rest.partition(":")
        if form != _FORM or not mac:
            return f"the signature of the {kind} is of no form that is known here"
        key = next((key for key in self.keys if _id_of(key) == key_id), None)
        if key is None:
            return f"the {kind} is signed with another key ({key_id[:_ID_LENGTH]})"
        # Bytes: compare_digest raises for other than ASCII text.
        if not hmac.compare_digest(_mac(key, kind, said).encode(), mac.encode(errors="replace")):
            return f"the {kind} was changed after it was signed"
        return None


def _said_of(job: Said) -> dict[str, Any]:
    return {
        "id": job.id, "name": job.name, "spec": job.spec, "origins": job.origins, "spec_id": job.spec_id,
    }  # fmt: skip


def _mac(key: bytes, kind: str, said: Mapping[str, Any]) -> str:
    """Over JSON of one form: as it comes back from Redis, keys sorted, without blanks."""
    plain = json.loads(json.dumps(said, allow_nan=False))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.new(key, f"srqueue {kind} {_FORM}\n{text}".encode(), hashlib.sha256).hexdigest()


def _id_of(key: bytes) -> str:
    return hmac.new(key, b"srqueue key id", hashlib.sha256).hexdigest()[:_ID_LENGTH]
