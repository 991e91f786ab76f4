"""What only the tenant can say, without anybody's login: is it the right one, and set up?

No call changes anything there. Two are failed exchanges on purpose, with a refresh token and an
``mfa_token`` that do not exist: the tenant's answer tells whether it knows the client and whether
the grant is on. They appear in the tenant's log as failed exchanges.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

from ..client import MFA_GRANT
from ..errors import Auth0UnavailableError
from ..state import SharedState, open_state
from ..tokens import LEEWAY, InvalidTokenError, SigningKeys
from .findings import Finding, error, passed, unchecked, warning
from .probe import Answer, Probe, parts_of, plain
from .subject import Subject

#: A clock that is wrong by this will soon be wrong by more, in seconds.
SKEW_WARNING = 15
GRANTS = "Applications > your application > Settings > Advanced > Grant Types"

Check = Callable[[Subject, Probe], Iterator[Finding]]


def check_discovery(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """The domain is a tenant's, and the name under which it issues tokens."""
    answer = probe.get("/.well-known/openid-configuration")
    issuer = answer.body.get("issuer")
    if answer.status != 200 or not isinstance(issuer, str):
        yield error(
            "discovery",
            f"{subject.settings.base_url} is not an Auth0 tenant: it answered {answer.status}"
            " without OpenID metadata.",
            why="Login and every refresh go there.",
            fix="AUTH0_DOMAIN is the Domain on the application's page in the dashboard, such as"
            " example.eu.auth0.com.",
        )
        return
    yield from _skew(answer)
    if issuer == subject.settings.issuer:
        yield passed("issuer", f"The tenant answers, as issuer {issuer}")
    else:
        yield error(
            "issuer",
            f"The tenant calls itself {plain(issuer)}, not {subject.settings.issuer}",
            why="ID tokens name that issuer: every login is refused.",
            fix=f"AUTH0_DOMAIN={parts_of(plain(issuer)).netloc} (with a custom domain, that one)",
        )
    if "end_session_endpoint" not in answer.body:
        yield warning(
            "end-session",
            "The tenant names no end_session_endpoint.",
            why="Logout uses Auth0's older /v2/logout.",
            fix="Tenant Settings > Advanced > RP-Initiated Logout End Session Endpoint Discovery",
        )


def _skew(answer: Answer) -> Iterator[Finding]:
    if answer.date is None:
        text = "The tenant's answer has no Date header, so the clocks were not compared."
        yield unchecked("clock", text, fix="date -u, on this machine")
        return
    # The header is cut to whole seconds, and was written between question and answer.
    behind = answer.date - answer.at
    ahead = answer.asked_at - (answer.date + 1)
    skew = max(0, behind, ahead)
    word = "slow" if behind > ahead else "fast"
    why = (
        "Tokens then seem to come from the future, or to have expired: logins are refused."
        f" Up to {LEEWAY} s are forgiven."
    )
    fix = "Let the machine keep its time: timedatectl set-ntp true"
    if skew > LEEWAY:
        yield error("clock", f"This machine's clock is {skew:.0f} s {word}.", why=why, fix=fix)
    elif skew > SKEW_WARNING:
        yield warning("clock", f"This machine's clock is {skew:.0f} s {word}.", why=why, fix=fix)
    else:
        yield passed("clock", "The clocks agree")


def check_keys(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """The tenant publishes keys that ID tokens can be checked with."""
    answer = probe.get("/.well-known/jwks.json")
    try:
        keys = SigningKeys(lambda: answer.content, subject.found.clock).current().keys
    except InvalidTokenError:
        keys = []
    usable = [key for key in keys if key.key_type in ("RSA", "EC")]
    if usable:
        yield passed("jwks", f"The tenant publishes {len(usable)} key(s)")
        return
    yield error(
        "jwks",
        "The tenant publishes no key that tokens can be checked with.",
        why="Every login is refused.",
        fix="Is something between here and the tenant that changes answers? Else rotate the"
        " signing key: Tenant Settings > Signing Keys.",
    )


def check_credentials(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """The tenant takes the client's credentials, and lets it refresh."""
    credentials = subject.found.client.credentials()
    no_token = f"doctor-{secrets.token_hex(8)}"
    answer = probe.post(
        "/oauth/token", grant_type="refresh_token", refresh_token=no_token, **credentials
    )
    if _is_grant_off(answer):
        yield passed("client-credentials", "The tenant takes the client's credentials")
        yield error(
            "refresh-grant",
            "The grant Refresh Token is off for this application.",
            why="Every refresh fails, so guarded views never open: unauthorized_client.",
            fix=f"{GRANTS} > Refresh Token",
        )
    elif answer.error in ("invalid_grant", "mfa_required"):
        yield passed("client-credentials", "The tenant takes the client's credentials")
        yield passed("refresh-grant", "The grant Refresh Token is on")
    elif answer.status == 401 or answer.error in ("invalid_client", "unauthorized_client"):
        yield _refused_credentials(subject, answer)
    else:
        yield _strange("client-credentials", "/oauth/token", answer)


def check_mfa_grant(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """Codes can be exchanged for tokens."""
    credentials = subject.found.client.credentials()
    no_token = f"doctor-{secrets.token_hex(8)}"
    answer = probe.post(
        "/oauth/token",
        grant_type=f"{MFA_GRANT}otp",
        mfa_token=no_token,
        otp="000000",
        **credentials,
    )
    if _is_grant_off(answer):
        yield error(
            "mfa-grant",
            "The grant MFA is off for this application.",
            why="Right codes are refused with unauthorized_client; users go to Universal Login.",
            fix=f"{GRANTS} > MFA (not there for third-party applications)",
        )
    elif answer.status == 401 and answer.error == "invalid_client":
        text = "Whether the grant MFA is on cannot be seen: the credentials are refused."
        yield unchecked("mfa-grant", text, fix="Mend client-credentials first.")
    elif answer.error in ("invalid_grant", "invalid_token", "expired_token", "invalid_request"):
        yield passed("mfa-grant", "The grant MFA is on")
    else:
        yield _strange("mfa-grant", "/oauth/token", answer)


def _is_grant_off(answer: Answer) -> bool:
    return answer.error == "unauthorized_client" and "grant type" in answer.description.lower()


def _refused_credentials(subject: Subject, answer: Answer) -> Finding:
    fix = (
        "Copy Client ID and Client Secret from Applications > your application > Settings into"
        " AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET. Application type: Regular Web Application."
    )
    if subject.settings.client_assertion_signing_key is not None:
        fix = (
            "Applications > your application > Credentials > Private Key JWT: put the public half"
            " of AUTH0_CLIENT_ASSERTION_SIGNING_KEY there. Is this machine's clock right?"
        )
    return error(
        "client-credentials",
        f"The tenant refuses the client {plain(subject.settings.client_id)}: {answer.error}.",
        why="Every login, refresh and check fails; users see 503 auth0_unavailable.",
        fix=fix,
    )


def _strange(code: str, path: str, answer: Answer) -> Finding:
    said = answer.error or f"status {answer.status}, and nothing that Auth0 documents"
    return unchecked(
        code,
        f"{path} answered {plain(said)}{': ' + answer.description if answer.description else ''}.",
        why="That tells nothing about the setting.",
        fix="Look into the tenant's log: Monitoring > Logs.",
    )


def check_addresses(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """The tenant sends users back to this application after login and logout."""
    addresses = subject.addresses()
    if addresses is None:
        path = subject.path_of("callback")
        yield unchecked(
            "callback-url",
            f"Whether the tenant allows the callback address: its host is not known, only {path}.",
            fix="flask auth0-mfa doctor --base-url https://shop.example.com, with your own host",
        )
        return
    callback, home = addresses
    answer = _authorize(subject, probe, callback)
    if _is_back(answer, callback):
        yield passed("callback-url", f"The tenant allows the callback {callback}")
        yield from _known_apis(subject, probe, callback)
    else:
        yield error(
            "callback-url",
            f"The tenant does not send users back to {callback}",
            why="Login ends on a page of Auth0's (Callback URL mismatch); users never come back.",
            fix=f"Applications > your application > Allowed Callback URLs: add {callback}",
        )
    answer = probe.get("/v2/logout", client_id=subject.settings.client_id, returnTo=home)
    if answer.status in (301, 302, 303, 307):
        yield passed("logout-url", f"The tenant allows the logout address {home}")
    else:
        yield warning(
            "logout-url",
            f"The tenant does not send users back to {home}",
            why="After logout they stay on an error page of Auth0's.",
            fix=f"Applications > your application > Allowed Logout URLs: add {home}",
        )


def _authorize(subject: Subject, probe: Probe, callback: str, **params: str) -> Answer:
    """Begin a login that ends at once, at the callback: there is nobody to log in."""
    # One for RFC 7636; it is never redeemed.
    challenge = secrets.token_urlsafe(32)
    return probe.get(
        "/authorize",
        response_type="code",
        client_id=subject.settings.client_id,
        redirect_uri=callback,
        prompt="none",
        scope=subject.settings.scope,
        state="doctor",
        nonce="doctor",
        code_challenge=challenge,
        code_challenge_method="S256",
        **params,
    )


def _is_back(answer: Answer, callback: str) -> bool:
    return answer.location.partition("?")[0].partition("#")[0] == callback


def _known_apis(subject: Subject, probe: Probe, callback: str) -> Iterator[Finding]:
    """Ask for each API: Auth0 refuses one that it does not know before anybody logs in."""
    audiences = {*subject.apis, *filter(None, [subject.settings.audience])}
    for audience in sorted(audiences):
        answer = _authorize(subject, probe, callback, audience=audience)
        query = parse_qs(parts_of(answer.location).query)
        said = " ".join(query.get("error_description", []))
        if "service not found" in said.lower():
            yield error(
                "api",
                f"The tenant knows no API {audience}",
                why="Its token can never be had: invalid_target, or login fails.",
                fix="Applications > APIs: make it, or write its Identifier into the guard as it"
                " stands there, byte for byte.",
            )


def check_state(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """The shared state can do all that is asked of it: keep, replace, lock and count."""
    del probe  # It is Redis that is asked.
    uri = subject.settings.state_uri
    if uri is None or uri.startswith("memory://"):
        return
    name = f"doctor:{secrets.token_hex(8)}"
    try:
        state = open_state(uri)
        state.put(name, "here", 10)
        is_there = state.get(name) == "here"
    except Auth0UnavailableError:
        is_there = False
    if not is_there:
        yield error(
            "state",
            "The shared state behind AUTH0_STATE_URI cannot be written and read.",
            why="Codes are not taken while it is down: 503 auth0_unavailable.",
            fix="Is Redis up, reachable from here, neither a replica nor a cluster, and are user"
            " and password in AUTH0_STATE_URI right?",
        )
    elif _can_lock_and_count(subject, state, name):
        yield passed("state", "The shared state answers")
    else:
        yield error(
            "state",
            "The shared state behind AUTH0_STATE_URI can be written and read, but not more.",
            why="Codes are counted by scripts, under keys of their own: none is taken, 503"
            " auth0_unavailable.",
            fix="The user in AUTH0_STATE_URI needs the keys auth0_mfa:* and LIMITS:*, and the"
            " commands EVAL, EVALSHA and SCRIPT LOAD with all that read and write.",
        )


def _can_lock_and_count(subject: Subject, state: SharedState, name: str) -> bool:
    limits = subject.found.limits
    buckets = [limits.codes_bucket(name)]
    try:
        with state.locked(name):
            state.replace(name, "here", "there", 10)
        limits.count(buckets, name)
        limits.clear(buckets)
    except Auth0UnavailableError:
        return False
    return True


#: Every check that asks the tenant without a login, after discovery.
CHECKS: tuple[Check, ...] = (
    check_keys,
    check_credentials,
    check_mfa_grant,
    check_addresses,
    check_state,
)
