"""Calls to the APIs whose tokens a session holds, and the step-up that an API asks for (RFC 9470).

A token leaves for one origin, which the caller names. Where a redirect leads elsewhere it is not
followed, not even without the token.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import InvalidURL

from .bearer import step_up_demand
from .client import POOL_SIZE
from .factors import method_names
from .models import StepUpDemand, StepUpRequest, require_scope_text
from .responses import return_to_page
from .secret import Secret
from .services import services
from .sessions import auth0_session
from .transport import ProcessAdapter

#: Seconds to connect and to wait for data, or one number for both.
Timeout = tuple[float, float] | float


@dataclass(frozen=True)
class Api:
    """An API as a view calls it; ``base_url`` ends in a slash.

    ``acr_values`` are its names for the second factor that is proved here.
    """

    audience: str
    base_url: str
    scope: str | None
    reason: str | None
    methods: tuple[str, ...] | None
    acr_values: Collection[str]

    @property
    def origin(self) -> str:
        """The scheme and host that the token is sent to, with a slash at the end."""
        return urljoin(self.base_url, "/")


class ApiSession(requests.Session):
    """A requests session that sends this user's access token to one API, and to nobody else.

    Addresses are relative to the API's ``base_url``. An answer that asks for a step-up
    (``insufficient_user_authentication``) is not returned: it raises
    :class:`~flask_auth0_mfa.MfaRequiredError`, and in a view that takes the user through the check
    and back. All other answers are returned as they are.

    The token is looked up at each call, in the session of the current request. Connections are
    shared by all threads of the application; cookies are neither kept nor sent.
    """

    def __init__(self, api: Api, adapter: BaseAdapter, timeout: Timeout) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)
        # Without TLS a proxy of the environment would read the token on its way to this machine.
        self.trust_env = api.origin.startswith("https://")
        self._api = api
        self._timeout = timeout

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Return the request with its whole address."""
        request.url = urljoin(self._api.base_url, str(request.url))
        return super().prepare_request(request)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request, or the next one of a redirect, with the access token.

        Raises :class:`requests.exceptions.InvalidURL` for another origin than the API's,
        :class:`~flask_auth0_mfa.MfaRequiredError` where a step-up is needed, for the token or
        because the API says so, and what else ``current_auth0.get_access_token`` raises.
        """
        # Whatever parser reads the address: where this ends the host has ended.
        if not (request.url or "").startswith(self._api.origin):
            raise InvalidURL(f"the access token of this session is for {self._api.origin} alone")
        wanted = self._request()
        with auth0_session() as session:
            token = services().tokens.access_token(session, wanted)
        # Here and not before: requests itself may have put a user of a .netrc file there.
        request.headers["Authorization"] = Secret(f"Bearer {token.token}")
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        response = super().send(request, **kwargs)
        if response.status_code == 401:
            demand = step_up_demand(response.headers.get("WWW-Authenticate"))
            if demand is not None:
                response.close()
                self._step_up(wanted, demand)
        return response

    def _request(self) -> StepUpRequest:
        return StepUpRequest(
            audience=self._api.audience,
            scope=self._api.scope,
            # It may be a lazy text, which is read in the language of this request.
            reason=self._api.reason and str(self._api.reason),
            methods=self._api.methods,
            return_to=return_to_page(),
        )

    def _step_up(self, wanted: StepUpRequest, demand: StepUpDemand) -> NoReturn:
        with auth0_session(is_strict=True) as session:
            services().refusals.step_up(session, wanted, demand, self._api.acr_values)
        raise AssertionError("a step-up ends in an error")

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a redirect within the API leads; any other is the caller's to judge."""
        with suppress(UnicodeDecodeError, ValueError):
            target = super().get_redirect_target(resp)
            found = _prepared(urljoin(resp.url, target)) if target else ""
            if found.startswith(self._api.origin):
                return found
        return None

    def close(self) -> None:
        """Do nothing: the connections are the application's."""


def build_adapter() -> BaseAdapter:
    """Return the connections to APIs of one application, for as many threads as servers have.

    No call is repeated by itself.
    """
    return ProcessAdapter(pool_maxsize=POOL_SIZE, max_retries=0)


def api_session(
    audience: str,
    base_url: str,
    *,
    scope: str | None,
    reason: str | None,
    methods: Collection[str] | None,
    acr_values: Collection[str],
    timeout: Timeout | None,
) -> ApiSession:
    """Return the session for calling an API; see :meth:`~flask_auth0_mfa.Auth0MFA.api`."""
    if not isinstance(audience, str) or not audience:
        raise TypeError("api needs the audience of an API: its identifier in Auth0")
    require_scope_text(scope)
    if isinstance(acr_values, str):
        acr_values = acr_values.split()
    allowed = method_names(methods)
    api = Api(audience, _base_url(base_url), scope, reason, allowed, frozenset(acr_values))
    found = services()
    return ApiSession(api, found.api_adapter, timeout or found.settings.timeout)


def _base_url(base_url: str) -> str:
    """Return the address as requests writes it, with a slash at its end."""
    remedy = 'must be the address of the API, such as "https://payments.example.com/v1/"'
    try:
        url = _prepared(base_url)
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"base_url {remedy}") from None
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"base_url {remedy}, without user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError(f"base_url {remedy}: a token goes over https only, but on this machine")
    return url if url.endswith("/") else f"{url}/"


def _prepared(url: str) -> str:
    """Return the address in the one form that requests sends it in; raises :class:`ValueError`."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url or ""


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host or "").is_loopback
    return False
