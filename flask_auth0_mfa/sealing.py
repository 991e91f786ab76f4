"""Sealed values: encrypted and authenticated, with an expiry inside, one key per purpose.

A seal is a compact JWE (RFC 7516, ``dir`` with ``A256GCM``) without its constant header, written
and read with cryptography alone: a library for every kind of JWE takes several times as long, and
each request to a guarded view opens a few seals. The key is derived from the application's secret
with HKDF (RFC 5869), a different one for each purpose, so that a session cookie is never accepted
as an ``mfa_token`` nor the other way round. The first secret seals, all of them open, which is
how ``SECRET_KEY_FALLBACKS`` lets a key rotate.

The plaintext is Huffman-coded, which takes back the third that base64 costs; not in the shared
state, where room is not short. It is not compressed any further: repeated strings are not searched
for, since the length of a seal would then tell about secrets that stand next to text that somebody
else chose (the attack called CRIME; HPACK draws the same line, RFC 7541 section 7.1).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import jsontext

#: Purposes of seals; each has a key of its own.
SESSION = "session"
AUDIENCE = "audience"
CONTEXT = "context"
TARGET = "target"
MFA_TOKEN = "mfa-token"  # noqa: S105 - the name of a purpose, not a secret  # nosec B105
FORM = "form"
LOGIN = "login"
DEVICE = "device"
STATE = "state"
#: Not seals: keys under which counters and marks are kept in shared storage …
NAME = "name"
#: … and what stands in the event log for users and addresses.
EVENT = "event"

MAX_LENGTH = 32_768
MAX_PLAINTEXT = 65_536
_NONCE_LENGTH, _TAG_LENGTH = 12, 16
_NONCE_CHARACTERS = _NONCE_LENGTH * 4 // 3
#: The header of every seal, which is authenticated and not sent: it saves bytes in cookies, and
#: nobody who sends us a seal can choose its algorithm.
_HEADER = base64.urlsafe_b64encode(b'{"alg":"dir","enc":"A256GCM"}').rstrip(b"=")
_JSON = json.JSONEncoder(separators=(",", ":"))
#: Base64 to base64url and back (RFC 4648 section 5), one character to one.
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/...")
#: Sizes of the coder's tables, as powers of two: 1 KiB, and 8 192 characters with one code.
_WINDOW, _MEMORY = 10, 7


class SealBrokenError(ValueError):
    """The value was not sealed by us for this purpose, or was changed since."""


class SealExpiredError(ValueError):
    """The value is genuine, but its time is over; ``content`` is what it held."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__("the seal has expired")
        self.content = content


@lru_cache(maxsize=64)
def _key(secret: bytes, purpose: str) -> bytes:
    info = f"flask_auth0_mfa/1/{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


@lru_cache(maxsize=64)
def _cipher(secret: bytes, purpose: str) -> AESGCM:
    return AESGCM(_key(secret, purpose))


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
        text = _JSON.encode({"exp": expires_at, "d": content}).encode()
        plaintext = text if purpose == STATE else _pack(text)
        cipher, nonce = _cipher(self._secrets()[0], purpose), secrets.token_bytes(_NONCE_LENGTH)
        sealed = cipher.encrypt(nonce, plaintext, _HEADER)
        parts = (nonce, sealed[:-_TAG_LENGTH], sealed[-_TAG_LENGTH:])
        return ".".join(_encode(part) for part in parts)

    def open(self, purpose: str, sealed: str) -> dict[str, Any]:
        """Return what was sealed for this purpose.

        Raises :class:`SealBrokenError` or, for a genuine value past its time,
        :class:`SealExpiredError`. The moment ``expires_at`` itself is past.
        """
        plaintext = self._decrypt(purpose, sealed)
        try:
            text = plaintext if purpose == STATE else _unpack(plaintext)
            envelope = jsontext.parse(text)
            content, expires_at = envelope["d"], envelope["exp"]
        except (ValueError, TypeError, KeyError, zlib.error):
            raise SealBrokenError("the seal has another content") from None
        if not isinstance(content, dict) or not isinstance(expires_at, int):
            raise SealBrokenError("the seal has another content")
        if self._clock() >= expires_at:
            raise SealExpiredError(content)
        return content

    def _decrypt(self, purpose: str, sealed: str) -> bytes:
        nonce, ciphertext, tag = _parts(sealed)
        for secret in self._secrets():
            try:
                return _cipher(secret, purpose).decrypt(nonce, ciphertext + tag, _HEADER)
            except InvalidTag:
                continue
        raise SealBrokenError("no key opens this seal")

    def name(self, *parts: str) -> str:
        """Return a stable name for use as a key in shared storage, which tells nothing."""
        return self.names(*parts)[0]

    def names(self, *parts: str, purpose: str = NAME) -> list[str]:
        """Return the name under each secret, the current one first.

        Names of one purpose tell nothing about those of another.
        """
        return self.names_of([parts], purpose)[0]

    def names_of(self, each: Sequence[Sequence[str]], purpose: str = NAME) -> list[list[str]]:
        """Return for each of several the name under each secret, the current one first."""
        keys = [_key(one, purpose) for one in self._secrets()]
        joined = ["\x00".join(parts).encode("utf-8", "surrogatepass") for parts in each]
        return [[hmac.digest(k, one, "sha256").hex()[:40] for k in keys] for one in joined]


def _parts(sealed: str) -> tuple[bytes, bytes, bytes]:
    """Return nonce, ciphertext and tag of a seal."""
    if len(sealed) > MAX_LENGTH or not sealed.isascii():
        raise SealBrokenError("not a seal")
    try:
        nonce, ciphertext, tag = sealed.split(".")
        # The characters of a nonce are whole bytes, so it is decoded together with what follows.
        both, ending = _decode(nonce + ciphertext), _decode(tag)
    except ValueError:
        raise SealBrokenError("not a seal") from None
    if len(nonce) != _NONCE_CHARACTERS or len(ending) != _TAG_LENGTH:
        raise SealBrokenError("not a seal")
    return both[:_NONCE_LENGTH], both[_NONCE_LENGTH:], ending


def _encode(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    encoded = text.encode().translate(_FROM_URL) + b"=" * (-len(text) % 4)
    content = binascii.a2b_base64(encoded)
    # Python's decoder overlooks foreign characters and stray bits; a seal has one spelling. That
    # of ordinary base64 is none: the tables put a character that is not base64 in its place.
    if binascii.b2a_base64(content, newline=False) != encoded:
        raise ValueError("not base64url")
    return content


def _pack(text: bytes) -> bytes:
    # Nothing is searched for, so the coder needs no window to search in: making one would take
    # longer than the coding.
    coder = zlib.compressobj(1, zlib.DEFLATED, -_WINDOW, _MEMORY, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(text) + coder.flush()


def _unpack(packed: bytes) -> bytes:
    decoder = zlib.decompressobj(-15)
    text = decoder.decompress(packed, MAX_PLAINTEXT)
    if not decoder.eof:
        raise ValueError("the content is longer than anything we seal")
    return text
