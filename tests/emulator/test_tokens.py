"""What the tenant publishes about itself, the tokens it signs, and how clients prove themselves."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clients import Api, Client

from .application import ACCOUNTS, Application, Json, claims

ANA = "ana@example.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def document(application: Application, path: str) -> Json:
    """Fetch a public document."""
    answer = application.http.get(application.url + path)
    assert answer.status_code == 200
    content: Json = answer.json()
    return content


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_discovery(application: Application, name: str) -> None:
    """The metadata names Auth0's endpoints; of the MFA API only the challenge is in it."""
    metadata = document(application, f"/.well-known/{name}")
    url = application.url
    assert metadata["issuer"] == f"{url}/"
    assert metadata["token_endpoint"] == f"{url}/oauth/token"
    assert metadata["mfa_challenge_endpoint"] == f"{url}/mfa/challenge"
    assert metadata["end_session_endpoint"] == f"{url}/oidc/logout"
    assert {"mfa_authenticators_endpoint", "acr_values_supported"}.isdisjoint(metadata)
    assert "amr" not in metadata["claims_supported"]


def test_end_session_endpoint_is_a_toggle() -> None:
    """``advertise_end_session`` off leaves only ``/v2/logout`` to a client."""
    tenant = Tenant(Configuration(advertise_end_session=False))
    with serve(tenant) as server, Application(server.url) as application:
        metadata = document(application, "/.well-known/openid-configuration")
        assert "end_session_endpoint" not in metadata


def test_signatures(application: Application) -> None:
    """The published key checks both kinds of token."""
    tokens = application.log_in(ANA, audience=ACCOUNTS)
    jwks = document(application, "/.well-known/jwks.json")
    assert set(jwks["keys"][0]) == {"kty", "use", "alg", "kid", "n", "e", "x5t", "x5c"}
    keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type]  # a document, not yet typed
    for name in ("id_token", "access_token"):
        assert jwt.decode(tokens[name], keys, algorithms=["RS256"]).claims["iss"]


def test_key_rotation(application: Application, tenant: Tenant) -> None:
    """After a rotation both keys are published; after two the first is gone."""
    kids = []
    for _ in range(3):
        kids.append([key["kid"] for key in document(application, "/.well-known/jwks.json")["keys"]])
        tenant.rotate_keys()
    first, second, third = kids
    assert second[1:] == first[:1]
    assert len(second) == len(third) == 2
    assert first[0] not in third


def test_access_token(application: Application) -> None:
    """The Auth0 profile: audience with userinfo, ``azp``, scope, and no ``gty`` from a login."""
    body = claims(application.log_in(ANA, audience=ACCOUNTS)["access_token"])
    assert body["aud"] == [ACCOUNTS, f"{application.url}/userinfo"]
    assert body["azp"] == "demo-client"
    assert body["exp"] - body["iat"] == 86_400
    assert "gty" not in body


def test_rfc_9068_profile() -> None:
    """An API may have the standard's profile instead."""
    api = Api("https://standard.example.com", token_dialect="rfc9068_profile")
    with (
        serve(Tenant(Configuration(apis=(api,)))) as server,
        Application(server.url) as application,
    ):
        token = application.log_in(ANA, audience=api.identifier)["access_token"]
        assert claims(token)["client_id"] == "demo-client"
        assert "azp" not in claims(token)


def test_opaque_access_token(application: Application) -> None:
    """Without an audience the access token is opaque and good for userinfo."""
    token = application.log_in(ANA)["access_token"]
    assert not token.startswith("eyJ")
    assert application.userinfo(token).json()["email"] == ANA


def test_userinfo_by_scope(application: Application) -> None:
    """The scope opens the claims, and the headers tell what is left of the limit."""
    token = application.log_in(ANA, audience=ACCOUNTS, scope="openid email")["access_token"]
    answer = application.userinfo(token)
    assert set(answer.json()) == {"sub", "email", "email_verified"}
    assert answer.headers["x-ratelimit-remaining"] == "9"


# Client authentication ----------------------------------------------------------------------------


def test_basic(application: Application) -> None:
    """The secret may come in the Authorization header."""
    token = application.log_in(ANA)["refresh_token"]
    answer = requests.post(
        f"{application.url}/oauth/token",
        data={"grant_type": "refresh_token", "refresh_token": token},
        auth=("demo-client", "demo-secret"),
        timeout=5,
    )
    assert answer.status_code == 200


@pytest.fixture(scope="module")
def private_key() -> RSAKey:
    """The key of a client that has no secret."""
    key: RSAKey = RSAKey.generate_key(2048)
    return key


@pytest.fixture
def keyed(private_key: RSAKey) -> Iterator[Application]:
    """A client that authenticates with a signed assertion."""
    public_pem = private_key.as_pem(private=False).decode()
    configuration = Configuration(clients=(Client("keyed", public_key=public_pem),))
    with (
        serve(Tenant(configuration)) as server,
        Application(server.url, "keyed", None) as application,
    ):
        yield application


def assertion(application: Application, key: RSAKey, **changes: object) -> Json:
    """Return the fields of ``private_key_jwt``."""
    now = int(time.time())
    content = {
        "iss": "keyed",
        "sub": "keyed",
        "aud": f"{application.url}/",
        "iat": now,
        "exp": now + 180,
        "jti": secrets.token_hex(8),
    } | changes
    signed = jwt.encode({"alg": "RS256"}, content, key, algorithms=["RS256"])
    return {"client_assertion": signed, "client_assertion_type": ASSERTION_TYPE}


def test_private_key_jwt(keyed: Application, private_key: RSAKey) -> None:
    """An assertion logs in and challenges, and the second use of one is refused."""
    page = keyed.password(keyed.authorize(acr_values=""), ANA)
    keyed.credentials |= assertion(keyed, private_key)
    code = page.headers["Location"].split("code=")[1].split("&")[0]
    assert keyed.exchange(code).status_code == 200
    assert keyed.exchange(code).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "changes",
    [{"aud": "https://elsewhere.example.com/"}, {"exp": 1}, {"sub": "other"}, {"iss": "other"}],
)
def test_bad_assertion(keyed: Application, private_key: RSAKey, changes: dict[str, object]) -> None:
    """Wrong audience, an old assertion, another client: all are ``invalid_client``."""
    keyed.credentials |= assertion(keyed, private_key, **changes)
    answer = keyed.token("refresh_token", refresh_token="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_assertion_with_another_key(keyed: Application) -> None:
    """The signature has to be the client's."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    keyed.credentials |= assertion(keyed, RSAKey.import_key(other))
    assert keyed.token("refresh_token", refresh_token="x").status_code == 401
