"""Settings: the ``AUTH0_*`` keys, read once and checked together.

A constructor option wins over ``app.config``, and that wins over the environment variable of the
same name. Options are the keys without ``AUTH0_``, in lower case: ``mfa_context_ttl=600``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .return_to import safe_return_to
from .secret import Secret
from .theme import DARK, LIGHT, long_form, shipped_colors, weak_contrasts

PREFIX = "AUTH0_"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+(?=[a-z]){_LABEL}", re.IGNORECASE)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LIMIT = re.compile(
    r"\s*[1-9]\d*\s*(/|\s*per\s*)\s*([1-9]\d*\s*)?(second|minute|hour|day|month|year)s?\s*", re.I
)
MAX_STEPUP_AGE = 12 * 3600
#: What the login sets in its address, or needs as it is (``response_mode``).
_LOGIN_PARAMS = frozenset(
    {
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
    }
)
#: A key of fewer bytes is refused (128 bits, if they are random).
MIN_KEY = 16
#: A key of fewer bytes is warned of: as text, 32 of them are 128 bits in hexadecimal.
GOOD_KEY = 32
#: A key of fewer different bytes is a pattern.
MIN_DIFFERENT = 6
_NEW_KEY = 'Set it to the output of: python -c "import secrets; print(secrets.token_hex())".'
#: The words of tutorials, and what stands between them; a longer word before its beginning.
_PLACEHOLDER = re.compile(
    r"[\W\d_]|any|an?|application|app|bad|change|default|development|dev|do|example|fake|flask"
    r"|for|goes|guess|hard|here|insecure|insert|in|is|it|key|local|me|must|my|never|not|only|our"
    r"|own|passphrase|password|please|production|prod|put|random|real|replace|safe|sample|secret"
    r"|session|set|should|so|string|super|testing|test|text|the|this|top|to|unsafe|use|value"
    r"|very|will|with|your|you",
    re.IGNORECASE,
)
#: Keys that can be read in Flask's own documentation.
_PUBLISHED = frozenset(
    {
        b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        b'_5#y2L"F4Q8z\n\xec]/',
    }
)


@dataclass(frozen=True)
class TenantSettings:
    """Where the tenant is, and how long its answers may take."""

    domain: str
    timeout: tuple[float, float]

    @property
    def base_url(self) -> str:
        """The tenant's origin, ``https://`` but for a local tenant."""
        return self.domain if _is_local(self.domain) else f"https://{self.domain}"

    @property
    def issuer(self) -> str:
        """The issuer of its tokens; ends in a slash and is compared byte for byte."""
        return f"{self.base_url}/"


@dataclass(frozen=True)
class ApiSettings(TenantSettings):
    """The settings of an API that takes access tokens: it has no login and no session."""

    audience: str


@dataclass(frozen=True)
class Settings(TenantSettings):
    """All settings of one application, checked; secrets are left out of ``repr``."""

    client_id: str
    client_secret: str | None = field(repr=False)
    client_assertion_signing_key: str | None = field(repr=False)
    audience: str | None
    scope: str
    authorize_params: Mapping[str, str]
    mfa_context_ttl: int
    stepup_max_age: int
    stepup_trust_tenant: bool
    mfa_url_prefix: str
    mfa_verify_limit: str
    mfa_verify_context_limit: str
    mfa_verify_address_limit: str
    mfa_verify_row_limit: str
    mfa_recovery_limit: str
    mfa_send_limit: str
    mfa_send_context_limit: str
    mfa_poll_limit: str
    mfa_enroll_limit: str
    mfa_service_name: str | None
    mfa_help_url: str | None
    mfa_cancel_url: str
    mfa_logo: str | None
    mfa_colors: Mapping[str, str]
    mfa_dark_colors: Mapping[str, str]
    mfa_width: str | None
    mfa_event_log: bool
    state_uri: str | None = field(repr=False)

    @property
    def is_themed(self) -> bool:
        """Whether the pages have colours or a width that the stylesheet does not have by itself."""
        return bool(self.mfa_colors or self.mfa_dark_colors or self.mfa_width)


class _Problem(ValueError):
    """What is wrong with one value, and the remedy."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Problem("must be a non-empty string")
    return value.strip()


def _secret_text(value: Any) -> Secret:
    return Secret(_text(value))


def _pem(value: Any) -> Secret:
    text = _text(value.decode(errors="replace") if isinstance(value, bytes) else value)
    if "PRIVATE KEY-----" not in text:
        raise _Problem("must be a private key in PEM form (-----BEGIN PRIVATE KEY-----)")
    return Secret(text)


def _domain(value: Any) -> str:
    text = _text(value).removesuffix("/")
    if _HOST_NAME.fullmatch(text):
        return text.lower()
    remedy = "must be the tenant's host name alone, such as example.eu.auth0.com"
    try:
        parts = urlsplit(text)
        loopback = parts.hostname in _LOOPBACK and parts.scheme in {"http", "https"}
        bare = not (parts.path or parts.query or parts.fragment or parts.username is not None)
        parts.port  # noqa: B018 - raises ValueError when it is not a port
    except ValueError:
        raise _Problem(remedy) from None
    if not loopback or not bare:
        raise _Problem(f"{remedy} (only a loopback host may be given as http://localhost:4400)")
    return text


def _seconds(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        try:
            seconds = int(value)
        except (TypeError, ValueError, OverflowError):
            raise _Problem("must be a whole number of seconds") from None
        if isinstance(value, bool) or (isinstance(value, float) and value != seconds):
            raise _Problem("must be a whole number of seconds")
        if not low <= seconds <= high:
            raise _Problem(f"must be between {low} and {high} seconds")
        return seconds

    return parse


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return words[str(value).strip().lower()]
    except KeyError:
        raise _Problem("must be True or False") from None


def _scope(value: Any) -> str:
    text = _text(value)
    if "openid" not in text.split():
        raise _Problem("must contain openid, and offline_access for step-up to work")
    return text


def _mapping(value: Any, example: str) -> Mapping[Any, Any]:
    """Return a mapping; in the environment it is written as a JSON object."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise _Problem(f"must be a JSON object such as {example}") from None
    if not isinstance(value, Mapping):
        raise _Problem(f"must be a mapping such as {example}")
    return value


def _params(value: Any) -> Mapping[str, str]:
    value = _mapping(value, '{"organization": "org_1"}')
    if clash := _LOGIN_PARAMS & set(value):
        raise _Problem(f"must not contain {', '.join(sorted(clash))}: the extension sets them")
    for name, one in value.items():
        # Python's own way to write None, True or a list would go to Auth0 as it is.
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise _Problem(f"has no text as {name}: write it as it goes into the address")
    return {str(name): str(one) for name, one in value.items()}


def _prefix(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text):
        raise _Problem("must be a path that starts with a slash and does not end in one")
    return text


def _limit(value: Any) -> str:
    text = _text(value)
    parts = [part for part in re.split(r"[,;|\n]", text) if part.strip()]
    if not parts or not all(_LIMIT.fullmatch(part) for part in parts):
        raise _Problem('must be limits such as "10 per 15 minutes; 30 per day"')
    return text


def _path(value: Any) -> str:
    text = _text(value)
    if safe_return_to(text) is None:
        raise _Problem("must be a path of the application, such as /")
    return text


def _own_picture(value: Any) -> str:
    text = _text(value)
    if safe_return_to(text) is None:
        raise _Problem(
            "must be a path of this application, such as /static/logo.svg: "
            "the pages ask no other site for anything"
        )
    return text


def _colors(scheme: str) -> Callable[[Any], Mapping[str, str]]:
    def parse(value: Any) -> Mapping[str, str]:
        colors = {}
        names = shipped_colors(scheme)
        for name, color in _mapping(value, '{"accent": "#0a4f7d"}').items():
            if name not in names:
                raise _Problem(f"has no colour {name!r}: the names are {', '.join(sorted(names))}")
            try:
                colors[str(name)] = long_form(str(color))
            except ValueError:
                raise _Problem(
                    f"has {color!r} for {name}: must be written as #rgb or #rrggbb"
                ) from None
        if weak := "; ".join(weak_contrasts(colors, scheme)):
            raise _Problem(f"cannot be read well: {weak}. Make one of each two darker or lighter")
        return colors

    return parse


def _width(value: Any) -> str:
    text = _text(value)
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)(rem|px)", text)
    pixels = float(match[1]) * (16 if match[2] == "rem" else 1) if match else 0
    if not 320 <= pixels <= 960:
        raise _Problem("must be a length between 20rem and 60rem (320px and 960px), such as 40rem")
    return text


def _link(value: Any) -> str:
    text = _text(value)
    if not re.match(r"(https?://|mailto:|tel:|/(?!/))", text):
        raise _Problem("must be an address (https://…, mailto:… or a path)")
    return text


def _state_uri(value: Any) -> str:
    text = _text(value)
    if not re.match(r"(memory://|rediss?://|unix://)", text):
        raise _Problem("must be redis://HOST:PORT/DB, or left out for memory")
    if text.startswith("redis") and not _is_readable(text):
        raise _Problem(
            "cannot be read: it must be redis://HOST:PORT/DB, with a password percent-encoded"
            " (/ ? # [ ] @ : as %2F, %3F and so on)"
        )
    return text


def _is_readable(url: str) -> bool:
    """Tell whether host and port of an address are where they seem to be.

    A password with a slash in it would be taken for the port; and the error about that, by whoever
    reads the address next, says what it was.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError when it is not a port
    except ValueError:
        return False
    return "@" not in parts.path + parts.query + parts.fragment


def _timeout(value: Any) -> tuple[float, float]:
    if isinstance(value, str):
        value = value.strip("()[] ").split(",")
    try:
        connect, read = (float(one) for one in value)
    except (TypeError, ValueError):
        raise _Problem("must be two numbers of seconds: (connect, read)") from None
    if not (0 < connect <= 60 and 0 < read <= 60):
        raise _Problem("must be two numbers of seconds between 0 and 60")
    return (connect, read)


@dataclass(frozen=True)
class Key:
    """One setting: how a value is checked, and what it is when nothing is given."""

    parse: Callable[[Any], Any]
    default: Any = None
    required: bool = False


#: Every setting, by the name of its field; the key is the upper-case name after ``AUTH0_``.
KEYS: Mapping[str, Key] = {
    "domain": Key(_domain, required=True),
    "client_id": Key(_text, required=True),
    "client_secret": Key(_secret_text),
    "client_assertion_signing_key": Key(_pem),
    "audience": Key(_text),
    "scope": Key(_scope, "openid profile email offline_access"),
    "authorize_params": Key(_params, {}),
    "mfa_context_ttl": Key(_seconds(1, 3600), 300),
    "stepup_max_age": Key(_seconds(1, MAX_STEPUP_AGE), 900),
    "stepup_trust_tenant": Key(_flag, False),
    "mfa_url_prefix": Key(_prefix, "/auth"),
    "mfa_verify_limit": Key(_limit, "10 per 15 minutes; 30 per day"),
    "mfa_verify_context_limit": Key(_limit, "5 per 5 minutes"),
    "mfa_verify_address_limit": Key(_limit, "30 per 15 minutes"),
    "mfa_verify_row_limit": Key(_limit, "100 per year"),
    "mfa_recovery_limit": Key(_limit, "5 per hour"),
    "mfa_send_limit": Key(_limit, "5 per 10 minutes"),
    "mfa_send_context_limit": Key(_limit, "1 per 30 seconds"),
    "mfa_poll_limit": Key(_limit, "12 per minute"),
    "mfa_enroll_limit": Key(_limit, "3 per 10 minutes"),
    "mfa_service_name": Key(_text),
    "mfa_help_url": Key(_link),
    "mfa_cancel_url": Key(_path, "/"),
    "mfa_logo": Key(_own_picture),
    "mfa_colors": Key(_colors(LIGHT), {}),
    "mfa_dark_colors": Key(_colors(DARK), {}),
    "mfa_width": Key(_width),
    "mfa_event_log": Key(_flag, False),
    "state_uri": Key(_state_uri),
    "timeout": Key(_timeout, (3.0, 5.0)),
}


def load_settings(
    config: Mapping[str, Any], options: Mapping[str, Any], environ: Mapping[str, str]
) -> Settings:
    """Return the checked settings.

    Raises :class:`~flask_auth0_mfa.errors.ConfigurationError` that lists every problem.
    """
    problems = [
        f"{name!r} is not an option of Auth0MFA; the options are {', '.join(sorted(KEYS))}."
        for name in options
        if name not in KEYS
    ]
    values = {}
    for name, key in KEYS.items():
        try:
            values[name] = _read(name, key, config, options, environ)
        except _Problem as problem:
            problems.append(f"{PREFIX}{name.upper()} {problem}.")
    problems.extend(_missing(config, values))
    is_local = _is_local(values.get("domain"))
    problems.extend(text for is_refused, text in _weak_keys(config, is_local) if is_refused)
    if problems:
        raise ConfigurationError(problems)
    return Settings(**values)


def load_api_settings(
    config: Mapping[str, Any], options: Mapping[str, Any], environ: Mapping[str, str]
) -> ApiSettings:
    """Return the checked settings of an API: ``domain``, ``audience`` and ``timeout``.

    Raises :class:`~flask_auth0_mfa.errors.ConfigurationError` that lists every problem.
    """
    problems, values = [], {}
    for name in ("domain", "audience", "timeout"):
        try:
            values[name] = _read(name, KEYS[name], config, options, environ)
        except _Problem as problem:
            problems.append(f"{PREFIX}{name.upper()} {problem}.")
    if values.get("audience", ...) is None:
        problems.append(
            "AUTH0_AUDIENCE is missing: set it to the API's identifier from its page in the Auth0 "
            'dashboard, or name it: ProtectedAPI(app, audience="https://payments.example.com").'
        )
    if problems:
        raise ConfigurationError(problems)
    return ApiSettings(**values)


def _read(
    name: str,
    key: Key,
    config: Mapping[str, Any],
    options: Mapping[str, Any],
    environ: Mapping[str, str],
) -> Any:
    full = PREFIX + name.upper()
    for source, where in ((options, name), (config, full), (environ, full)):
        value = source.get(where)
        if value is not None and value != "":
            return key.parse(value)
    if key.required:
        raise _Problem(
            "is missing: set it in app.config or in the environment, "
            "with the value from the application's page in the Auth0 dashboard"
        )
    return key.default


def _missing(config: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    problems = []
    credentials = ("client_secret", "client_assertion_signing_key")
    # A credential that was given but is malformed has been reported already.
    if all(name in values for name in credentials) and not any(values[n] for n in credentials):
        problems.append(
            "AUTH0_CLIENT_SECRET is missing: set it to the client secret from the Auth0 dashboard, "
            "or set AUTH0_CLIENT_ASSERTION_SIGNING_KEY to use private_key_jwt."
        )
    if not config.get("SECRET_KEY"):
        problems.append(
            f"SECRET_KEY is missing: every key of the extension is derived from it. {_NEW_KEY}"
        )
    return problems


# -- keys ------------------------------------------------------------------------------------


def key_warnings(config: Mapping[str, Any], domain: str | None = None) -> list[str]:
    """Return what is weak about ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``, but lets them be used.

    With ``DEBUG`` or ``TESTING``, or with a local tenant as ``domain``, that is every weakness;
    otherwise :func:`load_settings` refuses keys that can be guessed (SEC-38).
    """
    return [text for is_refused, text in _weak_keys(config, _is_local(domain)) if not is_refused]


def _is_local(domain: str | None) -> bool:
    # Only a loopback host may be given with its scheme.
    return "://" in (domain or "")


def _weak_keys(config: Mapping[str, Any], is_local: bool) -> Iterator[tuple[bool, str]]:
    """Yield each weakness, and whether the application must not start with it."""
    is_lenient = is_local or bool(config.get("DEBUG") or config.get("TESTING"))
    if current := config.get("SECRET_KEY"):
        for is_guessable, text in _weakness(current):
            yield is_guessable and not is_lenient, f"SECRET_KEY {text}. {_NEW_KEY}"
    fallbacks = config.get("SECRET_KEY_FALLBACKS") or []
    if isinstance(fallbacks, (str, bytes)):
        # Flask would take every single character of it for a key.
        yield True, "SECRET_KEY_FALLBACKS must be a list of keys, also when there is one only."
        return
    for number, key in enumerate(fallbacks):
        for is_guessable, text in _weakness(key) if key else ():
            remedy = "Take it out of the list; what was sealed under it is lost"
            name = f"SECRET_KEY_FALLBACKS[{number}]"
            yield is_guessable and not is_lenient, f"{name} {text}. {remedy}."


def _weakness(key: Any) -> Iterator[tuple[bool, str]]:
    """Yield what is weak about one key, if anything, and whether it can be guessed."""
    content = key if isinstance(key, bytes) else str(key).encode(errors="replace")
    text = content.decode("latin-1")
    is_words = any(map(str.isalpha, text)) and not _PLACEHOLDER.sub("", text)
    if is_words or content in _PUBLISHED:
        yield True, "is a placeholder that anybody can guess"
    elif len(content) < MIN_KEY:
        yield True, f"is shorter than {MIN_KEY} bytes"
    elif len(set(content)) < MIN_DIFFERENT:
        yield True, "repeats a few characters"
    elif len(content) < GOOD_KEY:
        yield False, f"is shorter than {GOOD_KEY} bytes"
