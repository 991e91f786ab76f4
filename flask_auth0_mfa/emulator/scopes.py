"""Which API and which scopes a login or a refresh is granted."""

from __future__ import annotations

from .clients import OIDC_SCOPES, Api, Client
from .families import Family
from .tenant import Tenant


def granted_at_login(
    client: Client, api: Api | None, requested: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the scopes a login grants: unknown ones are dropped without a word."""
    known = OIDC_SCOPES + (api.scopes if api else ())
    offline = (api is None or api.allow_offline_access) and client.check_grant_type("refresh_token")
    return tuple(s for s in requested if s in known and (s != "offline_access" or offline))


def resolved_at_refresh(
    tenant: Tenant, family: Family, audience: str | None, requested: tuple[str, ...]
) -> tuple[Api | None, tuple[str, ...]]:
    """Return the API and scopes a refresh grants (Auth0's multi-resource refresh tokens).

    An audience in no policy falls back to the original one, and a scope outside the policy is
    dropped, both without a word.
    """
    # As the client is set up now, which may have changed since the login.
    client = tenant.client(family.client.client_id) or family.client
    policies = client.refresh_token.policies
    api = family.api
    if audience in policies:
        api = tenant.api(audience) or family.api
    allowed = [scope for scope in family.scope if scope in OIDC_SCOPES]
    if api is not None:
        allowed += policies.get(api.identifier, ())
    if api == family.api:
        allowed += family.scope
    allowed = list(dict.fromkeys(allowed))
    return api, tuple(s for s in allowed if not requested or s in requested)
