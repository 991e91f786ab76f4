"""What a person gives to prove a second factor."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..codes import CodeFormatError, CodeKind, clean_code
from ..errors import InvalidRequestError
from ..secret import Secret


@dataclass(frozen=True)
class Proof:
    """One of the kinds of MFA grant: ``otp``, ``oob_code`` (+ ``binding_code``), recovery code."""

    otp: str | None = None
    oob_code: str | None = None
    binding_code: str | None = None
    recovery_code: str | None = None

    def __repr__(self) -> str:
        kinds = [name for name, value in asdict(self).items() if value is not None]
        return f"<Proof {'+'.join(kinds)}>"

    @property
    def is_push(self) -> bool:
        """Tell whether this asks for the answer to a push, which carries no code."""
        return self.oob_code is not None and self.binding_code is None

    @property
    def fields(self) -> tuple[str, ...]:
        """The given fields as ``name=value``, to tell one proof from another."""
        return tuple(f"{name}={value}" for name, value in asdict(self).items() if value)

    def cleaned(self) -> Proof:
        """Return the proof with its codes as Auth0 expects them.

        Raises :class:`InvalidRequestError` for none, several, or a malformed one.
        """
        for name, value in asdict(self).items():
            if value is not None and not isinstance(value, str):
                raise InvalidRequestError(f"{name} must be a string.")
        given = [kind for kind in ("otp", "oob_code", "recovery_code") if getattr(self, kind)]
        if len(given) != 1:
            raise InvalidRequestError(
                "Give exactly one of code, otp, oob_code (with binding_code) or recovery_code."
            )
        if self.otp:
            return Proof(otp=_clean("otp", "otp", self.otp))
        if self.recovery_code:
            return Proof(recovery_code=_clean("recovery-code", "recovery_code", self.recovery_code))
        if self.binding_code is None:
            return Proof(oob_code=self.oob_code)
        binding_code = _clean("message", "binding_code", self.binding_code)
        return Proof(oob_code=self.oob_code, binding_code=binding_code)


def _clean(kind: CodeKind, name: str, code: str) -> str:
    texts = {
        "empty": f"{name} is empty.",
        "characters": f"{name} has characters that no code has.",
        "length": f"{name} has the wrong length.",
    }
    try:
        return Secret(clean_code(kind, code))
    except CodeFormatError as error:
        raise InvalidRequestError(texts[error.reason]) from None
