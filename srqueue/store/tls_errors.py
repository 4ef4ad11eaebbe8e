"""What a failed TLS connection to Redis or to a Sentinel means, and what to do about it."""

from __future__ import annotations

import re

_MEANING = {
    r"Hostname mismatch[^\])]*|IP address mismatch[^\])]*": (
        "the certificate is not for the name or address that was asked for",
        "make one that has it (deploy/tls/make-certificates FOLDER NAME ADDRESS...); behind Sentinels it is "
        "the address that they name",
    ),
    r"certificate has expired|certificate is not yet valid": (
        "the certificate is not valid today",
        "make a new one (deploy/tls/make-certificates), or correct a clock",
    ),
    r"self.signed certificate[^\])]*|unable to get (?:local )?issuer certificate": (
        "the certificate is of a CA that is not trusted here",
        "SRQUEUE_REDIS_CA=FILE: the certificate of the CA that signed it",
    ),
    # By TLS 1.3 a server may close instead of telling.
    r"EOF occurred in violation of protocol|certificate required|bad certificate|unknown ca|"
    r"unsupported certificate|handshake failure": (
        "it does not take this machine's certificate, or wants one",
        "SRQUEUE_REDIS_CERT and SRQUEUE_REDIS_KEY: a client certificate of the server's CA",
    ),
    r"WRONG_VERSION_NUMBER|record layer failure|packet length too long": (
        "there is no TLS on that port",
        "its port for TLS, or redis:// or sentinel:// (without the s) where there is none",
    ),
}


def meaning(told: str) -> tuple[str, str] | None:
    """(why, what to do) of an error's text; None where it is not one of these."""
    for pattern, found in _MEANING.items():
        if re.search(pattern, told, re.IGNORECASE):
            return found
    return None
