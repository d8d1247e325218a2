"""What callers are called in the history, so that no kind of credential can pass for another.

    bootstrap               the first administrator
    jwt:<label>:<sub>       whoever the issuer with that label calls <sub>
    cert:<name>             whoever holds a client certificate with that name
    anything else           the key that an operator gave this name

A label has no colon, so the second one ends it whatever the issuer writes into `sub`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

BOOTSTRAP = "bootstrap"
JWT_PREFIX = "jwt:"
CERTIFICATE_PREFIX = "cert:"
_RESERVED_PREFIXES = (JWT_PREFIX, CERTIFICATE_PREFIX)

MAX_NAME_CHARACTERS = 100
"""Of a key."""
MAX_SUBJECT_CHARACTERS = 200
MAX_CERTIFICATE_NAME_CHARACTERS = 255
MAX_CERTIFICATE_NAMES = 32
"""Names of one certificate that are looked up."""

LABEL = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_DNS_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+", re.ASCII | re.IGNORECASE)


def why_not_a_key_name(name: str) -> str | None:
    """What is wrong with the name of a key; None: nothing."""
    if not is_plain_text(name, MAX_NAME_CHARACTERS):
        return f"must have 1 to {MAX_NAME_CHARACTERS} printable characters, without blanks around them"
    # Full-width letters and the like read the same and are not.
    read_as = unicodedata.normalize("NFKC", name).casefold()
    if read_as == BOOTSTRAP or read_as.startswith(_RESERVED_PREFIXES):
        reserved = " or ".join(map(repr, _RESERVED_PREFIXES))
        return f"must not be '{BOOTSTRAP}' nor begin with {reserved}: these stand for other callers"
    return None


def is_plain_text(text: str, most: int) -> bool:
    """Whether it has 1 to `most` characters, all printable, and no blanks around them."""
    return 0 < len(text) <= most and text.isprintable() and text == text.strip()


def certificate_name(text: str) -> str | None:
    """A URI or DNS name of a certificate in the form that is compared; None: it can't identify anybody.

    A URI has a colon and a DNS name has none, so neither can be taken for the other. A wildcard is a name of many.
    """
    if len(text) > MAX_CERTIFICATE_NAME_CHARACTERS:
        return None
    if ":" in text:
        return text if _URI.fullmatch(text) else None
    lowered = text.lower().removesuffix(".")
    return lowered if _DNS_NAME.fullmatch(lowered) else None


def certificate_names(uris: Iterable[str], dns_names: Iterable[str]) -> tuple[str, ...]:
    """The names of a verified client certificate, for `Admission.enter`; the same ones always in the same order."""
    found = {name for uri in uris if ":" in uri and (name := certificate_name(uri))}
    found |= {name for dns in dns_names if ":" not in dns and (name := certificate_name(dns))}
    return tuple(sorted(found)[:MAX_CERTIFICATE_NAMES])


def names_of_peer(certificate: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The same from what `ssl.SSLObject.getpeercert()` gives; None: the peer showed no certificate."""
    if not certificate:
        return None
    names = certificate.get("subjectAltName", ())
    return certificate_names(
        [value for kind, value in names if kind == "URI"], [value for kind, value in names if kind == "DNS"]
    )
