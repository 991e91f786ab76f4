"""What only a refresh shows: when the tenant asks for a second factor, and for which APIs.

A refresh token that rotates is used up by its first use. Its successors are used in turn, and the
last one is revoked in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..models import scope_set
from ..secret import Secret
from ..tokens import InvalidTokenError, access_token_claims, is_for
from .findings import Finding, error, passed, unchecked, warning
from .online import GRANTS
from .probe import Answer, Probe, Unanswered, plain
from .subject import Subject

ACTION = "flask auth0-mfa action prints the Action to put into Actions > Triggers > post-login"
POLICIES = "the application's multi-resource refresh token policies (refresh_token.policies)"


class Refreshes:
    """Refreshes one after the other, each with the token that the one before brought."""

    def __init__(self, subject: Subject, probe: Probe, refresh_token: Secret) -> None:
        self._credentials = subject.found.client.credentials
        self._probe = probe
        self._token = refresh_token
        self.has_rotated = False

    def ask(self, audience: str | None = None, scope: str = "") -> Answer:
        """Return the answer to one refresh; raises :class:`Unanswered`."""
        fields = {"audience": audience, "scope": scope}
        answer = self._probe.post(
            "/oauth/token",
            grant_type="refresh_token",
            refresh_token=self._token,
            **{name: value for name, value in fields.items() if value},
            **self._credentials(),
        )
        successor = answer.body.get("refresh_token")
        if answer.status == 200 and isinstance(successor, str) and successor != self._token:
            self._token, self.has_rotated = Secret(successor), True
        return answer

    def revoke(self) -> None:
        """Revoke the last token, if it is one that nobody else has."""
        if self.has_rotated:
            with suppress(Unanswered):
                self._probe.post("/oauth/revoke", token=self._token, **self._credentials())


def check_refreshes(subject: Subject, probe: Probe) -> Iterator[Finding]:
    """The tenant asks for a second factor for the guarded APIs, and for nothing else."""
    if subject.refresh_token is None:
        yield unchecked(
            "refreshes",
            "Whether every refresh asks for a second factor, whether refresh tokens reach "
            + (", ".join(sorted(subject.apis)) or "the APIs in use")
            + ", and whether the Action asks there.",
            why="Only a refresh shows it.",
            fix="flask auth0-mfa doctor --refresh-token - with a refresh token of a login made"
            " for this (it is used up)",
        )
        return
    refreshes = Refreshes(subject, probe, subject.refresh_token)
    try:
        yield from _refreshed(subject, refreshes)
    finally:
        refreshes.revoke()


def _refreshed(subject: Subject, refreshes: Refreshes) -> Iterator[Finding]:
    plain_refresh = refreshes.ask()
    if plain_refresh.error == "mfa_required":
        yield _always(subject)
        return
    if plain_refresh.status != 200:
        yield _refused("refresh-token", "A refresh", plain_refresh)
        return
    yield passed("always-mfa", "A refresh without a guarded API asks for nothing")
    yield from _tokens(subject, refreshes, plain_refresh)
    for audience, scopes in sorted(subject.apis.items()):
        yield from _api(subject, refreshes, audience, " ".join(sorted(scopes)))


def _always(subject: Subject) -> Finding:
    audience = subject.settings.audience
    if audience in subject.apis:
        return unchecked(
            "always-mfa",
            f"A refresh asks for a second factor, as it should: AUTH0_AUDIENCE, {audience}, is"
            " itself guarded. Whether others would ask as well cannot be seen.",
            fix="Leave AUTH0_AUDIENCE out, or set it to an API that is not guarded.",
        )
    return error(
        "always-mfa",
        "Every refresh asks for a second factor, also for what is not guarded.",
        why="Tokens cannot be refreshed in the background: users are asked all the time"
        " (mfa_required). Which APIs refresh tokens reach cannot be seen behind it.",
        fix="Security > Multi-factor Auth > Require Multi-factor Auth: Never or Adaptive, not"
        f" Always; and let the Action return early for other APIs ({ACTION}).",
    )


def _tokens(subject: Subject, refreshes: Refreshes, answer: Answer) -> Iterator[Finding]:
    if not refreshes.has_rotated:
        yield warning(
            "rotation",
            "Refresh tokens do not rotate.",
            why="A stolen one stays good for its whole life, and nobody notices.",
            fix="Applications > your application > Settings > Refresh Token Rotation",
        )
    id_token = answer.body.get("id_token")
    if id_token is None:
        yield unchecked(
            "id-token",
            "The refresh brought no ID token, so none was checked.",
            why="Auth0 sends one where the login asked for the scope openid.",
            fix="Use the refresh token of a login with AUTH0_SCOPE.",
        )
        return
    try:
        subject.found.sign_in.verifier.verify(id_token if isinstance(id_token, str) else "")
    except InvalidTokenError as refusal:
        yield error(
            "id-token",
            f"The tenant's ID token is refused: {refusal}.",
            why="Logins are refused for the same reason.",
            fix="Applications > your application > Settings > Advanced > OAuth > JsonWebToken"
            " Signature Algorithm: RS256. See also issuer and clock above.",
        )


def _api(subject: Subject, refreshes: Refreshes, audience: str, scope: str) -> Iterator[Finding]:
    answer = refreshes.ask(audience, scope)
    if answer.error == "mfa_required":
        yield passed("step-up", f"The tenant asks for a second factor for {audience}")
        yield from _factors(audience, answer.body.get("mfa_requirements"))
    elif answer.status != 200:
        yield _refused("step-up", f"A refresh for {audience}", answer)
    elif not is_for(str(answer.body.get("access_token", "")), audience, None):
        yield _unreached(audience, answer)
    else:
        yield _unasked(subject, audience)
        yield from _scopes(audience, scope, answer)


def _factors(audience: str, requirements: object) -> Iterator[Finding]:
    named = requirements if isinstance(requirements, dict) else {}
    if not named.get("challenge") and not named.get("enroll"):
        yield warning(
            "factors-by-action",
            f"For {audience}, the tenant does not say which factors it takes.",
            why="It uses the tenant's policy or api.multifactor.enable. The extension lists"
            " the user's methods by itself, which may not be those that the Action means.",
            fix="Security > Multi-factor Auth > Customize MFA Factors using Actions (for"
            " refreshes, Auth0's support enables it), and challengeWithAny in the Action.",
        )
    elif not named.get("challenge"):
        yield unchecked(
            "factors",
            f"For {audience}, this user has to enroll first; challenges were not seen.",
            fix="Use the refresh token of a user with a second factor.",
        )


def _unreached(audience: str, answer: Answer) -> Finding:
    found = access_token_claims(str(answer.body.get("access_token", ""))).get("aud", "")
    names = found if isinstance(found, list) else [found]
    other = ", ".join(plain(name) for name in names if name) or "nobody that it names"
    return error(
        "refresh-policy",
        f"Refresh tokens do not reach {audience}: its token was asked for, and one for"
        f" {other} came.",
        why="Auth0 reports no error. The extension answers invalid_target, or goes through"
        " Universal Login.",
        fix=f"Add {audience}, with its scopes, to {POLICIES}. The API must allow skipping"
        " user consent.",
    )


def _unasked(subject: Subject, audience: str) -> Finding:
    report = warning if subject.settings.stepup_trust_tenant else error
    return report(
        "step-up",
        f"The tenant gives out the token for {audience} without a second factor.",
        why="That opens no view (unless AUTH0_STEPUP_TRUST_TENANT is on): users are told that the"
        " check is not set up, step_up_unavailable.",
        fix=f"{ACTION}; it must name this identifier and be deployed. For refreshes, Auth0's"
        " support enables Customize MFA Factors using Actions.",
    )


def _scopes(audience: str, scope: str, answer: Answer) -> Iterator[Finding]:
    given = answer.body.get("scope", scope)
    missing = scope_set(scope) - scope_set(given if isinstance(given, str) else "")
    if missing:
        yield error(
            "scopes",
            f"The tenant leaves scopes out for {audience}: {' '.join(sorted(missing))}.",
            why="Auth0 reports no error. The extension answers insufficient_scope.",
            fix=f"Applications > APIs > Permissions, and the scopes in {POLICIES}.",
        )


def _refused(code: str, what: str, answer: Answer) -> Finding:
    said = f"{plain(answer.error)} ({answer.description})" if answer.error else answer.status
    fixes = {
        "invalid_grant": "Take a new refresh token: this one is unknown, expired or was used"
        " before. Do not take one from a session that goes on.",
        "access_denied": "An Action denies access: Monitoring > Logs shows which one.",
        "unmet_authentication_requirements": "No factor that the Action asks for can be used:"
        " Security > Multi-factor Auth > Factors, and the types in the Action.",
        "unauthorized_client": f"{GRANTS} > Refresh Token",
        "invalid_client": "Mend client-credentials first.",
    }
    return error(
        code,
        f"{what} is refused: {said}.",
        why="Guarded views answer login_required, or an error.",
        fix=fixes.get(answer.error or "", "Monitoring > Logs in the dashboard says why."),
    )
