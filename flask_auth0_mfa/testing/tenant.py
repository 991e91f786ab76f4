"""The local tenant for tests: it takes the place of the one that an application is set up for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flask import Flask, url_for
from flask.testing import FlaskClient

from .. import api
from ..api import ApiServices
from ..config import Settings
from ..emulator import Api, Client, Configuration, RefreshTokenSettings, Tenant, create_app
from ..emulator.keys import SigningKeys
from ..emulator.records import Call, Message, Push
from ..inventory import guarded_apis
from ..models import scope_set
from ..pages import BLUEPRINT
from ..services import EXTENSION, Services
from . import CONFIG
from .client import Auth0TestClient
from .clock import SharedClock
from .transport import WsgiAdapter


class InProcessTenant:
    """A local Auth0 tenant that applications in this process talk to without a socket.

    :param keys: the keys that sign; a new one takes a moment to make.

    ``tenant`` is the tenant itself, for what has no method here. Raises
    :class:`~flask_auth0_mfa.emulator.MissingExtra` without the extra ``emulator``.
    """

    def __init__(self, keys: SigningKeys | None = None) -> None:
        self._clock = SharedClock()
        url = f"https://{CONFIG['AUTH0_DOMAIN']}"
        self.tenant = Tenant(url=url, clock=self._clock, keys=keys)
        self.wsgi_app = create_app(self.tenant)
        self._apps: list[Flask] = []

    # -- applications ------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, str]:
        """``AUTH0_*`` settings of an application of this tenant."""
        return dict(CONFIG)

    def install(self, app: Flask) -> None:
        """Answer this application's calls in place of the tenant that it is set up for.

        Its clock is the tenant's from now on, and its limits have counted nothing yet. Raises
        RuntimeError when the application has no :class:`~flask_auth0_mfa.Auth0MFA` and no
        :class:`~flask_auth0_mfa.api.ProtectedAPI`.
        """
        if app in self._apps:
            self._register(app)
            return
        parts = _parts(app)
        base_url = parts[0].settings.base_url
        if self._apps and base_url != self.tenant.url:
            raise RuntimeError(
                f"This tenant is {self.tenant.url} already: give applications that share it the "
                "same AUTH0_DOMAIN."
            )
        self.tenant.url = base_url
        self._register(app)
        self._apps.append(app)
        adapter = WsgiAdapter(self.wsgi_app, self._clock)
        for one in parts:
            one.client.mount(adapter)
            one.clock.tell = self._clock.now
        if EXTENSION in app.extensions:
            _services(app).limits.limiter.reset()

    def client(self, app: Flask) -> Auth0TestClient:
        """Return a test client of the application, which is a new browser; installs the tenant."""
        self.install(app)
        own = app.test_client_class or FlaskClient
        kind = type("Auth0TestClient", (Auth0TestClient, own), {})
        made: Auth0TestClient = kind(app, app.response_class, use_cookies=True)
        made.auth0 = self
        return made

    # -- settings of the tenant --------------------------------------------------------------

    def configure(self, configuration: Configuration) -> None:
        """Start anew with other users, APIs, Actions or options."""
        self.tenant.configure(configuration)
        self.tenant.reset()
        for app in self._apps:
            self._register(app)

    def add_api(self, audience: str, scope: str = "", *, mfa_factors: int = 1) -> None:
        """Add an API, for which every client can get tokens.

        :param scope: its scopes, with spaces between them.
        :param mfa_factors: how many different factors a token for it needs.
        """
        scopes = tuple(sorted(scope_set(scope)))
        known = self.tenant.configuration
        clients = (_with_policy(client, audience, scopes) for client in known.clients)
        apis = (*known.apis, Api(audience, scopes, mfa_factors=mfa_factors))
        self.tenant.configure(replace(known, apis=apis, clients=tuple(clients)))

    def _register(self, app: Flask) -> None:
        """Make the tenant know the application: its client, and the APIs that it names."""
        if EXTENSION not in app.extensions:
            return
        settings = _services(app).settings
        self._register_client(app, settings)
        for audience, scopes in guarded_apis(app).items():
            if self.tenant.api(audience) is None:
                self.add_api(audience, " ".join(scopes))
        if settings.audience is not None and self.tenant.api(settings.audience) is None:
            self.add_api(settings.audience, mfa_factors=0)

    def _register_client(self, app: Flask, settings: Settings) -> None:
        known = self.tenant.configuration
        policies = {api.identifier: api.scopes for api in known.apis}
        new = Client(settings.client_id, refresh_token=RefreshTokenSettings(policies=policies))
        client = self.tenant.client(settings.client_id) or new
        with app.test_request_context():
            callback = url_for(f"{BLUEPRINT}.callback", _external=True)
            home = callback.removesuffix(f"{settings.mfa_url_prefix}/callback") + "/"
        client = replace(
            client,
            client_secret=settings.client_secret,
            # A private key has the public one in it.
            public_key=settings.client_assertion_signing_key,
            callbacks=_joined(client.callbacks, callback),
            logout_urls=_joined(client.logout_urls, home),
        )
        others = (one for one in known.clients if one.client_id != client.client_id)
        self.tenant.configure(replace(known, clients=(*others, client)))

    # -- what a person sees ------------------------------------------------------------------

    def otp(self, email: str) -> str:
        """Return the code that the user's authenticator app shows; LookupError without one."""
        return self.tenant.current_otp(email)

    def last_message(self, email: str) -> Message:
        """Return the newest text message, call or e-mail to the user, with its ``code``.

        Raises LookupError when nothing was sent.
        """
        return self.tenant.last_message(email)

    def recovery_code(self, email: str) -> str:
        """Return the user's recovery code; LookupError without one."""
        return self.tenant.recovery_code(email)

    def approve_push(self, email: str | None = None) -> Push:
        """Approve the newest open push, of this user or of all; LookupError without one."""
        return self.tenant.approve(self._open_push(email).id)

    def reject_push(self, email: str | None = None) -> Push:
        """Reject the newest open push, of this user or of all; LookupError without one."""
        return self.tenant.reject(self._open_push(email).id)

    def _open_push(self, email: str | None) -> Push:
        for push in reversed(self.tenant.pushes):
            if self.tenant.is_open(push) and email in (None, push.user):
                return push
        raise LookupError(f"No push waits for {email or 'anybody'}.")

    def access_token(
        self,
        email: str,
        audience: str,
        scope: str = "",
        *,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return an access token of the user for an API, as the tenant would sign it.

        :param scope: its scopes, with spaces between them.
        :param claims: further claims, such as those of an Action, or others in place of its own.
        """
        now = int(self._clock.now())
        own = {
            "iss": self.tenant.issuer,
            "sub": self.tenant.user(email).sub,
            "aud": audience,
            "iat": now,
            "exp": now + 86_400,
            "scope": scope,
        }
        return self.tenant.keys.sign({**own, **(claims or {})})

    # -- time and failure --------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Put the clocks of the tenant and its applications forward; never back."""
        self.tenant.advance(seconds)
        for app in self._apps:
            _age_limits(app, seconds)

    def fault(
        self,
        path: str,
        *,
        status: int | None = None,
        body: object = None,
        delay: float = 0.0,
        drop: bool = False,
        times: int = 1,
    ) -> None:
        """Make the next ``times`` requests to ``path`` fail.

        :param status: answered in place of the real answer, with ``body`` (JSON or text).
        :param delay: seconds until the answer; the clock is put forward in place of waiting.
        :param drop: hang up without an answer.
        """
        self.tenant.fault(path, status=status, body=body, delay=delay, drop=drop, times=times)

    @property
    def calls(self) -> list[Call]:
        """The requests to the tenant so far: method, path, grant_type, status and moment."""
        return list(self.tenant.calls)


def _services(app: Flask) -> Services:
    found: Services | None = app.extensions.get(EXTENSION)
    if found is None:
        raise RuntimeError("This application has no Auth0MFA: call Auth0MFA(app) first.")
    return found


def _parts(app: Flask) -> list[Services | ApiServices]:
    """Return what of an application talks to the tenant: its login, its APIs, or both."""
    apis = app.extensions.get(api.EXTENSION, {}).values()
    return [*apis] if apis and EXTENSION not in app.extensions else [_services(app), *apis]


def _joined(known: Iterable[str], one: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, one)))


def _with_policy(client: Client, audience: str, scopes: tuple[str, ...]) -> Client:
    policies = {**client.refresh_token.policies, audience: scopes}
    return replace(client, refresh_token=replace(client.refresh_token, policies=policies))


def _age_limits(app: Flask, seconds: float) -> None:
    """Make what the limits have counted older: their storage in memory reads the wall clock."""
    if EXTENSION not in app.extensions:
        return
    counted: dict[str, list[Any]] = getattr(_services(app).limits.limiter.storage, "events", {})
    for entries in counted.values():
        for entry in entries:
            entry.atime -= seconds
            entry.expiry -= seconds
