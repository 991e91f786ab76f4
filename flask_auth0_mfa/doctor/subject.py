"""What is examined: an application, its settings, and what the operator said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Flask, url_for

from ..config import Settings
from ..inventory import guarded_apis
from ..pages import BLUEPRINT
from ..secret import Secret
from ..services import EXTENSION, Services


@dataclass(frozen=True)
class Subject:
    """An application with its extension.

    :param base_url: where its users reach it (``https://shop.example.com``), if that is known.
    :param refresh_token: a refresh token of this application to try; it is used up.
    """

    app: Flask
    base_url: str | None = None
    refresh_token: Secret | None = field(default=None, repr=False)

    @property
    def found(self) -> Services:
        """The extension's parts in this application."""
        found: Services = self.app.extensions[EXTENSION]
        return found

    @property
    def settings(self) -> Settings:
        """The extension's settings."""
        return self.found.settings

    @property
    def is_local(self) -> bool:
        """Whether the tenant is one on this machine, so that nothing here is production."""
        return "://" in self.settings.domain

    @property
    def apis(self) -> dict[str, frozenset[str]]:
        """The guarded APIs, with the scopes that guards ask for."""
        return guarded_apis(self.app)

    @property
    def is_https(self) -> bool:
        """Whether its users are known to reach it over HTTPS."""
        return self.base_url is not None and urlsplit(self.base_url).scheme == "https"

    @property
    def public_url(self) -> str | None:
        """Where users reach the application, as said or by ``SERVER_NAME``; no slash at the end."""
        server_name = self.app.config.get("SERVER_NAME")
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        if server_name:
            return f"{self.app.config['PREFERRED_URL_SCHEME']}://{server_name}"
        return None

    def path_of(self, endpoint: str) -> str:
        """Return the path of one of the extension's pages, below an ``APPLICATION_ROOT`` too."""
        with self.app.test_request_context():
            return url_for(f"{BLUEPRINT}.{endpoint}", _external=False)

    def addresses(self) -> tuple[str, str] | None:
        """Return callback and logout address as the tenant must allow them, if they are known."""
        if self.public_url is None:
            return None
        callback = self.public_url + self.path_of("callback")
        root = callback.removesuffix(f"{self.settings.mfa_url_prefix}/callback")
        return callback, f"{root}/"
