"""An application of the tenant, with its user's browser, speaking plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests

CALLBACK = "http://localhost:5000/auth/callback"
SCOPE = "openid profile email offline_access"
MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
GRANT = "http://auth0.com/oauth/grant-type/"
ACCOUNTS = "https://accounts.example.com"
PAYMENTS = "https://payments.example.com"
ADMIN = "https://admin.example.com"
OPEN = "https://open.example.com"
Json = dict[str, Any]


class Application:
    """A confidential client; ``browser`` carries the cookies of its user.

    ``ca_file`` is what both trust when the tenant is served over TLS.
    """

    def __init__(
        self,
        url: str,
        client_id: str = "demo-client",
        client_secret: str | None = "demo-secret",
        ca_file: Path | None = None,
    ) -> None:
        self.url = url
        self.credentials: Json = {"client_id": client_id}
        if client_secret:
            self.credentials["client_secret"] = client_secret
        self.http = requests.Session()
        self.browser = requests.Session()
        for session in (self.http, self.browser):
            session.verify = str(ca_file) if ca_file else True
            # An environment's own CA bundle or proxy would take precedence.
            session.trust_env = False

    def __enter__(self) -> Application:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.http.close()
        self.browser.close()

    # The login ------------------------------------------------------------------------------------

    def authorize(self, **parameters: str) -> requests.Response:
        """Follow ``/authorize`` to the page it leads to, or to the callback."""
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.credentials["client_id"],
            "redirect_uri": CALLBACK,
            "scope": SCOPE,
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        } | parameters
        query = {name: value for name, value in query.items() if value}
        return self.visit(f"{self.url}/authorize?{urlencode(query)}")

    def visit(self, url: str) -> requests.Response:
        """Open an address in the browser."""
        return self.follow(self.browser.get(url, allow_redirects=False))

    def follow(self, answer: requests.Response) -> requests.Response:
        """Follow redirects within the tenant, and stop at the one that leaves it."""
        while answer.is_redirect:
            target = answer.headers["Location"]
            if target.startswith("/"):
                target = self.url + target
            if not target.startswith(self.url + "/"):
                return answer
            answer = self.browser.get(target, allow_redirects=False)
        return answer

    def submit(self, page: requests.Response, path: str, **fields: str) -> requests.Response:
        """Submit the form of a page."""
        state = dict(parse_qsl(urlsplit(page.url).query)).get("state") or _state_in(page.text)
        answer = self.browser.post(
            self.url + path, {"state": state, **fields}, allow_redirects=False
        )
        return self.follow(answer)

    def password(
        self, page: requests.Response, email: str, password: str = "demo"
    ) -> requests.Response:
        """Fill in the login page."""
        return self.submit(page, "/u/login", username=email, password=password)

    def log_in(self, email: str, **parameters: str) -> Json:
        """Log a user in and return the tokens."""
        self.browser.cookies.clear()
        return self.redeem(callback(self.password(self.authorize(**parameters), email)))

    def redeem(self, parameters: Mapping[str, str]) -> Json:
        """Exchange the code of a callback for tokens."""
        answer = self.exchange(parameters["code"])
        assert answer.status_code == 200, answer.text
        tokens: Json = answer.json()
        return tokens

    def exchange(self, code: str, **fields: str) -> requests.Response:
        """Call the code grant."""
        return self.token(
            "authorization_code",
            **{"code": code, "redirect_uri": CALLBACK, "code_verifier": self.verifier} | fields,
        )

    # The API --------------------------------------------------------------------------------------

    def token(self, grant_type: str, **fields: str) -> requests.Response:
        """Call ``POST /oauth/token``; ``mfa-…`` grants go by their last word."""
        name = GRANT + grant_type if grant_type.startswith("mfa-") else grant_type
        body = {**self.credentials, "grant_type": name, **fields}
        return self.http.post(f"{self.url}/oauth/token", data=body)

    def refresh(self, refresh_token: str, audience: str = "", scope: str = "") -> requests.Response:
        """Call the refresh grant."""
        fields = {"audience": audience, "scope": scope}
        given = {name: value for name, value in fields.items() if value}
        return self.token("refresh_token", refresh_token=refresh_token, **given)

    def step_up(self, email: str, audience: str = PAYMENTS) -> str:
        """Log in and return the ``mfa_token`` of a refused refresh."""
        self.tokens = self.log_in(email)
        answer = self.refresh(self.tokens["refresh_token"], audience)
        assert answer.status_code == 403, answer.text
        mfa_token: str = answer.json()["mfa_token"]
        return mfa_token

    def challenge(self, mfa_token: str, **fields: str) -> requests.Response:
        """Call ``POST /mfa/challenge`` with a JSON body."""
        body = {**self.credentials, "mfa_token": mfa_token, **fields}
        return self.http.post(f"{self.url}/mfa/challenge", json=body)

    def associate(self, bearer: str, **fields: object) -> requests.Response:
        """Call ``POST /mfa/associate``."""
        return self.http.post(f"{self.url}/mfa/associate", json=fields, headers=_bearer(bearer))

    def authenticators(self, bearer: str) -> requests.Response:
        """Call ``GET /mfa/authenticators``."""
        return self.http.get(f"{self.url}/mfa/authenticators", headers=_bearer(bearer))

    def remove(self, bearer: str, authenticator_id: str) -> requests.Response:
        """Call ``DELETE /mfa/authenticators/{id}``."""
        path = quote(authenticator_id, safe="")
        return self.http.delete(f"{self.url}/mfa/authenticators/{path}", headers=_bearer(bearer))

    def userinfo(self, access_token: str) -> requests.Response:
        """Call ``GET /userinfo``."""
        return self.http.get(f"{self.url}/userinfo", headers=_bearer(access_token))

    def authenticator_id(self, mfa_token: str, channel: str) -> str:
        """Return the id of the user's authenticator of that channel."""
        for entry in self.authenticators(mfa_token).json():
            if entry.get("oob_channel", entry["authenticator_type"]) == channel:
                found: str = entry["id"]
                return found
        raise LookupError(channel)

    def oob(self, mfa_token: str, channel: str) -> str:
        """Start a challenge on that channel and return its ``oob_code``."""
        authenticator_id = self.authenticator_id(mfa_token, channel)
        answer = self.challenge(mfa_token, challenge_type="oob", authenticator_id=authenticator_id)
        assert answer.status_code == 200, answer.text
        code: str = answer.json()["oob_code"]
        return code


def callback(answer: requests.Response) -> dict[str, str]:
    """Return the parameters with which the browser was sent to the callback."""
    assert answer.is_redirect, answer.text
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == CALLBACK
    return dict(parse_qsl(target.query))


def claims(token: str) -> Json:
    """Return the claims of a JWT, without any check."""
    payload = token.split(".")[1]

    content: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return content


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _state_in(page: str) -> str:
    found = re.search(r'name="state" value="([^"]+)"', page)
    assert found, page
    return found.group(1)
