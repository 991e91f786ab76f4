"""The forms of the pages, and the token that says a form is ours.

Flask-WTF's own CSRF token ignores ``SECRET_KEY_FALLBACKS`` and knows no context. Ours is a seal
that names the session and the context, so that it is good for just that check, survives a key
rotation and lives as long as the check can be started again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, HiddenField, StringField, ValidationError
from wtforms.csrf.core import CSRF, CSRFTokenField

from .codes import (
    MESSAGE_LENGTHS,
    OTP_LENGTH,
    CodeFormatError,
    CodeKind,
    clean_code,
    clean_email,
    clean_number,
)
from .factors import EMAIL_ADDRESS, PHONE_NUMBER
from .i18n import gettext, ngettext
from .models import TARGET_TTL, Auth0Session
from .sealing import FORM, SealBrokenError, Sealer, SealExpiredError

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class FormBinding:
    """What a form's token is bound to."""

    sealer: Sealer
    login_id: str
    expires_at: int


def bind(sealer: Sealer, clock: Callable[[], float], session: Auth0Session) -> FormBinding:
    """Return the binding for forms of this session."""
    return FormBinding(sealer, session.login_id or "", int(clock()) + TARGET_TTL)


class ContextCSRF(CSRF):  # type: ignore[misc]  # WTForms is untyped
    """A form token bound to session and context (SEC-14)."""

    def setup_form(self, form: ContextForm) -> list[tuple[str, Field]]:
        self._form = form
        self._binding: FormBinding = form.meta.csrf_context
        fields: list[tuple[str, Field]] = super().setup_form(form)
        return fields

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:  # noqa: ARG002 - WTForms' signature
        # The context field stands before the token's, so it is filled by now.
        content = {"login": self._binding.login_id, "context": self._form.context.data or ""}
        return self._binding.sealer.seal(FORM, content, self._binding.expires_at)

    def validate_csrf_token(self, form: ContextForm, field: CSRFTokenField) -> None:
        try:
            content = self._binding.sealer.open(FORM, field.data or "")
        except (SealBrokenError, SealExpiredError):
            raise ValidationError("not a token of ours") from None
        if content.get("login") != self._binding.login_id:
            raise ValidationError("a token of another session")
        if content.get("context") != (form.context.data or ""):
            raise ValidationError("a token of another check")


class ContextForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF is untyped
    """A form of one check: one press of a button."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        csrf_class = ContextCSRF
        csrf_field_name = "csrf_token"

        def get_translations(self, form: ContextForm) -> None:
            """Use none of WTForms' own: every text of ours comes from :mod:`.i18n`."""

    context = HiddenField()

    @classmethod
    def shown(cls, binding: FormBinding, context: str, **values: str | bool) -> Self:
        """Return the form to be shown in a page, with its token."""
        values["context"] = context
        return cls(formdata=None, data=values, meta={"csrf_context": binding})

    @classmethod
    def submitted(cls, binding: FormBinding, given: Mapping[str, str] | None = None) -> Self:
        """Return the form that was sent with this request; ``given`` are its fields, if not a form.

        Flask-WTF itself would parse any JSON that a program sends.
        """
        meta = {"csrf_context": binding}
        return cls(meta=meta) if given is None else cls(formdata=MultiDict(given), meta=meta)

    @property
    def is_ours(self) -> bool:
        """Tell whether the token was right; call after ``validate``."""
        return "csrf_token" not in self.errors


class ChooseForm(ContextForm):
    """One method to choose; for a push also whether the device is to be remembered."""

    authenticator_id = HiddenField()
    remember = BooleanField()


class ResendForm(ChooseForm):
    """Asks for a new code by the method that is shown."""

    resend = HiddenField()


class CodeForm(ContextForm):
    """The one field for a code; ``method`` says whose, since another tab may choose another."""

    method = HiddenField()
    code = StringField()
    remember = BooleanField()
    #: Set by the view before it validates.
    kind: CodeKind = "otp"

    def validate_code(self, field: Field) -> None:
        try:
            field.data = clean_code(self.kind, field.data)
        except CodeFormatError as error:
            raise ValidationError(code_problem(self.kind, error)) from None


class SavedForm(ContextForm):
    """Says that the new recovery code was saved."""

    saved = BooleanField()

    def validate_saved(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(gettext("Say that you have saved the code, then continue."))


class DeviceForm(ContextForm):
    """Forgets one remembered device; without an id all of them."""

    device = HiddenField()


class EnrollForm(ContextForm):
    """One method to add."""

    method = HiddenField()


class PhoneForm(EnrollForm):
    """Asks for the number that codes are sent to."""

    phone_number = StringField()

    def validate_phone_number(self, field: Field) -> None:
        number = clean_number(field.data)
        if not PHONE_NUMBER.fullmatch(number):
            raise ValidationError(
                gettext("Enter the number with its country code, for example +44 7700 900123.")
            )
        field.data = number


class EmailForm(EnrollForm):
    """Asks for the address that codes are sent to."""

    email = StringField()

    def validate_email(self, field: Field) -> None:
        address = clean_email(field.data)
        if not EMAIL_ADDRESS.fullmatch(address):
            raise ValidationError(gettext("Enter an e-mail address, for example ana@example.com."))
        field.data = address


def code_problem(kind: CodeKind, error: CodeFormatError) -> str:
    """Return what to tell a person whose code cannot be right; it is not counted as a try."""
    if kind == "recovery-code":
        if error.reason == "empty":
            return gettext("Enter your recovery code.")
        return gettext("A recovery code has letters and numbers. Check that you entered all of it.")
    if error.reason == "empty":
        if kind == "otp":
            return ngettext(
                "Enter the %(num)d-digit code from your authenticator app.",
                "Enter the %(num)d-digit code from your authenticator app.",
                OTP_LENGTH,
            )
        return gettext("Enter the code that we sent you.")
    if error.reason == "characters":
        return gettext("The code can only have numbers.")
    if kind == "otp":
        return ngettext(
            "The code must have %(num)d digit. You entered %(entered)d.",
            "The code must have %(num)d digits. You entered %(entered)d.",
            OTP_LENGTH,
            entered=error.entered,
        )
    shortest, longest = MESSAGE_LENGTHS
    return ngettext(
        "The code must have %(shortest)d to %(num)d digits. You entered %(entered)d.",
        "The code must have %(shortest)d to %(num)d digits. You entered %(entered)d.",
        longest,
        shortest=shortest,
        entered=error.entered,
    )
