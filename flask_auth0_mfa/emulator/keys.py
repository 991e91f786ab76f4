"""The tenant's signing keys: RS256, with a certificate in the JWKS, and rotation."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeyParameters, KeySet, RSAKey

_ALGORITHM = "RS256"
_KEPT = 2  # the current key, and the previous one for tokens that still carry its signature


class InvalidToken(Exception):
    """A JWT that this tenant did not sign, or whose claims are not what was asked for."""


class SigningKeys:
    """Sign JWTs, check them, and publish the public half."""

    def __init__(self) -> None:
        self._keys: list[RSAKey] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on; the JWKS goes on listing the previous one."""
        self._keys = [_new_key(), *self._keys][:_KEPT]

    def forget_previous(self) -> None:
        """List the current key alone, as after some time."""
        del self._keys[1:]

    def sign(self, claims: Mapping[str, Any], *, typ: str = "JWT") -> str:
        """Return the claims as a signed JWT."""
        key = self._keys[0]
        header = {"alg": _ALGORITHM, "typ": typ, "kid": key.kid}
        return jwt.encode(header, dict(claims), key, algorithms=[_ALGORITHM])

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a JWT signed here, expired or not; raises InvalidToken."""
        try:
            decoded = jwt.decode(token, KeySet(list(self._keys)), algorithms=[_ALGORITHM])
        except (JoseError, ValueError):
            raise InvalidToken from None
        return dict(decoded.claims)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the document of ``/.well-known/jwks.json``."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self._keys]}


def _new_key() -> RSAKey:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _self_signed(private)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    digest = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - RFC 7517, 4.8  # nosec B303
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    der = certificate.public_bytes(serialization.Encoding.DER)
    parameters: KeyParameters = {
        "use": "sig",
        "alg": _ALGORITHM,
        "kid": thumbprint,
        "x5t": thumbprint,
        "x5c": [base64.b64encode(der).decode()],
    }
    key: RSAKey = RSAKey.import_key(pem, parameters)
    return key


def _self_signed(private: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Local Auth0 tenant")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(private, hashes.SHA256())
    )
