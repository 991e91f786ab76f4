"""Opaque handles: sealed, with a purpose and an expiry inside, and as long as Auth0's own.

Because the expiry travels inside, the tenant can forget a record the moment it is over and still
tell an expired handle (401) from a made-up one (403).
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Characters of an ``mfa_token`` and of an ``oob_code`` in recorded traffic.
MFA_TOKEN_LENGTH = 2000
OOB_CODE_LENGTH = 600
_PREFIX = "Fe26.2"


class Malformed(Exception):
    """The text is not a handle of this purpose sealed by this tenant."""


@dataclass(frozen=True)
class Handle:
    """What a sealed text stands for: the key of a record, and its end in epoch seconds."""

    key: str
    expires_at: float


class Sealer:
    """Seal and open handles with a key that lives as long as this object."""

    def __init__(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(bit_length=256))

    def seal(self, purpose: str, handle: Handle, *, length: int = 0) -> str:
        """Return an opaque text of about ``length`` characters (0: as short as it gets)."""
        content = json.dumps([handle.key, handle.expires_at]).encode()
        padding = max(0, length * 3 // 4 - len(content) - 56)
        salt, nonce = secrets.token_hex(8), secrets.token_bytes(12)
        bound = f"{purpose}*{salt}".encode()
        sealed = self._cipher.encrypt(nonce, content + b" " * padding, bound)
        return f"{_PREFIX}*{salt}*{_encode(nonce)}*{_encode(sealed)}"

    def open(self, purpose: str, text: str) -> Handle:
        """Return the handle, expired or not; raises Malformed for anything not sealed here."""
        try:
            prefix, salt, nonce, sealed = text.split("*")
            bound = f"{purpose}*{salt}".encode()
            content = self._cipher.decrypt(_decode(nonce), _decode(sealed), bound)
        except (ValueError, InvalidTag):
            raise Malformed from None
        if prefix != _PREFIX:
            raise Malformed
        key, expires_at = json.loads(content)
        return Handle(key, expires_at)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    content = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    # Python's decoder overlooks foreign characters and stray bits; a handle has one spelling.
    if _encode(content) != text:
        raise ValueError
    return content
