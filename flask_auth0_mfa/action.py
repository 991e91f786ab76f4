"""Writes the post-login Action that asks for a second factor for the guarded APIs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from string import Template

#: What comes at login, where the extension asks Universal Login for a second factor.
_AT_LOGIN = """
  // At a login that asks for a second factor by acr_values: how the extension
  // goes through Universal Login where the MFA API cannot be used.
  const isAskedFor = event.transaction?.acr_values?.includes(
    "http://schemas.openid.net/pape/policies/2007/06/multi-factor",
  );
"""
_NOT_AT_LOGIN = """
  // At login nothing is asked for. `flask auth0-mfa action --universal-login`
  // writes an Action that also asks where a login wants it (acr_values).
  const isAskedFor = false;
"""
#: The factors that the MFA API can enroll, in the words of ``enrollWithAny``.
ENROLLABLE = ("otp", "push-notification", "phone")


def write_action(
    audiences: Iterable[str],
    *,
    enroll: Iterable[str] = ENROLLABLE,
    universal_login: bool = False,
) -> str:
    """Return the JavaScript of an Action for Auth0's trigger post-login.

    :param audiences: identifiers of the APIs that need a second factor.
    :param enroll: the factors that a user without any may enroll.
    :param universal_login: ask also at a login that wants a second factor (``acr_values``).
    """
    text = files(__package__).joinpath("templates/auth0_mfa/action.js").read_text("utf-8")
    return Template(text).substitute(
        audiences=_array(sorted(set(audiences))),
        enroll=_array(enroll),
        at_login=(_AT_LOGIN if universal_login else _NOT_AT_LOGIN).strip("\n"),
    )


def _array(values: Iterable[str]) -> str:
    """Return a JavaScript array, one value a line."""
    # JSON in ASCII is JavaScript, also where U+2028 would end a line.
    lines = (f"  {json.dumps(value)},\n" for value in values)
    return f"[\n{''.join(lines)}]"
