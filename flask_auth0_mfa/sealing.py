"""Sealed values: encrypted and authenticated, with an expiry inside, one key per purpose.

A seal is a compact JWE (RFC 7516, ``dir`` with ``A256GCM``) without its constant header. Its key
is derived from the application's secret with HKDF (RFC 5869), a different one for each purpose, so
that a session cookie is never accepted as an ``mfa_token`` nor the other way round. The first
secret seals, all of them open, which is how ``SECRET_KEY_FALLBACKS`` lets a key rotate.

The plaintext is Huffman-coded, which takes back the third that base64 costs. It is not compressed
any further: repeated strings are not searched for, since the length of a seal would then tell
about secrets that stand next to text that somebody else chose (the attack called CRIME; HPACK
draws the same line, RFC 7541 section 7.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey

from . import jsontext

#: Purposes of seals; each has a key of its own.
SESSION = "session"
AUDIENCE = "audience"
CONTEXT = "context"
TARGET = "target"
MFA_TOKEN = "mfa-token"  # noqa: S105 - the name of a purpose, not a secret
FORM = "form"
LOGIN = "login"
STATE = "state"
#: Not a seal: keys under which counters and marks are kept in shared storage.
NAME = "name"

MAX_LENGTH = 32_768
MAX_PLAINTEXT = 65_536
_HEADER = {"alg": "dir", "enc": "A256GCM"}
_REGISTRY = JWERegistry(algorithms=["dir", "A256GCM"])
#: The header and the empty key of every seal. Left out of the value: it saves bytes in cookies,
#: and nobody who sends us one can choose its algorithm.
_PREFIX = base64.urlsafe_b64encode(json.dumps(_HEADER, separators=(",", ":")).encode()).decode()
_PREFIX = _PREFIX.rstrip("=") + ".."


class SealBrokenError(ValueError):
    """The value was not sealed by us for this purpose, or was changed since."""


class SealExpiredError(ValueError):
    """The value is genuine, but its time is over; ``content`` is what it held."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__("the seal has expired")
        self.content = content


@lru_cache(maxsize=64)
def _key(secret: bytes, purpose: str) -> OctKey:
    info = f"flask_auth0_mfa/1/{purpose}".encode()
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    key: OctKey = OctKey.import_key(derived)
    return key


class Sealer:
    """Seals and opens values.

    :param secrets: returns the secrets, current one first; asked at each use, so that a change of
        the application's configuration takes effect.
    :param clock: returns the time in seconds since the epoch.
    """

    def __init__(self, secrets: Callable[[], Sequence[bytes]], clock: Callable[[], float]) -> None:
        self._secrets = secrets
        self._clock = clock

    def seal(self, purpose: str, content: dict[str, Any], expires_at: int) -> str:
        """Return ``content`` (plain JSON types) sealed until ``expires_at``."""
        plaintext = json.dumps({"exp": expires_at, "d": content}, separators=(",", ":"))
        key = _key(self._secrets()[0], purpose)
        sealed = jwe.encrypt_compact(_HEADER, _pack(plaintext), key, registry=_REGISTRY)
        return sealed.removeprefix(_PREFIX)

    def open(self, purpose: str, sealed: str) -> dict[str, Any]:
        """Return what was sealed for this purpose.

        Raises :class:`SealBrokenError` or, for a genuine value past its time,
        :class:`SealExpiredError`. The moment ``expires_at`` itself is past.
        """
        plaintext = self._decrypt(purpose, sealed)
        try:
            envelope = jsontext.parse(_unpack(plaintext))
            content, expires_at = envelope["d"], envelope["exp"]
        except (ValueError, TypeError, KeyError, zlib.error):
            raise SealBrokenError("the seal has another content") from None
        if not isinstance(content, dict) or not isinstance(expires_at, int):
            raise SealBrokenError("the seal has another content")
        if self._clock() >= expires_at:
            raise SealExpiredError(content)
        return content

    def _decrypt(self, purpose: str, sealed: str) -> bytes:
        if len(sealed) > MAX_LENGTH or not sealed.isascii():
            raise SealBrokenError("not a seal")
        for secret in self._secrets():
            try:
                opened = jwe.decrypt_compact(
                    _PREFIX + sealed, _key(secret, purpose), registry=_REGISTRY
                )
            except (JoseError, ValueError, TypeError, KeyError, AttributeError):
                # joserfc lets errors of the JSON and base64 layers through for malformed input.
                continue
            if opened.plaintext is not None:
                return opened.plaintext
        raise SealBrokenError("no key opens this seal")

    def name(self, *parts: str) -> str:
        """Return a stable name for use as a key in shared storage, which tells nothing."""
        return self.names(*parts)[0]

    def names(self, *parts: str) -> list[str]:
        """Return the name under each secret, the current one first."""
        joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
        return [
            hmac.new(_key(one, NAME).raw_value, joined, hashlib.sha256).hexdigest()[:40]
            for one in self._secrets()
        ]


def _pack(text: str) -> bytes:
    coder = zlib.compressobj(1, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(text.encode()) + coder.flush()


def _unpack(packed: bytes) -> bytes:
    decoder = zlib.decompressobj(-15)
    text = decoder.decompress(packed, MAX_PLAINTEXT)
    if not decoder.eof:
        raise ValueError("the content is longer than anything we seal")
    return text
