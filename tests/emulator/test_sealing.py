"""Sealed handles: opaque, bound to their purpose, and tamper-proof to the last character."""

from __future__ import annotations

import pytest

from flask_auth0_mfa.emulator.sealing import Handle, Malformed, Sealer

HANDLE = Handle("some key", 1_234.5)


@pytest.mark.parametrize("length", [0, 600, 2000])
def test_there_and_back(length: int) -> None:
    """What is sealed can be opened, and has about the length that was asked for."""
    sealer = Sealer()
    text = sealer.seal("purpose", HANDLE, length=length)
    assert sealer.open("purpose", text) == HANDLE
    assert len(text) < 200 if length == 0 else abs(len(text) - length) < 30


def test_other_purpose_and_other_sealer() -> None:
    """A handle is good for its purpose and its tenant only."""
    sealer = Sealer()
    text = sealer.seal("purpose", HANDLE)
    for opener, purpose in ((sealer, "other"), (Sealer(), "purpose")):
        with pytest.raises(Malformed):
            opener.open(purpose, text)


def test_every_character_counts() -> None:
    """Changing, dropping or adding any character makes a handle worthless."""
    sealer = Sealer()
    text = sealer.seal("purpose", HANDLE)
    for position, character in enumerate(text):
        other = "A" if character != "A" else "B"
        for changed in (
            text[:position] + other + text[position + 1 :],
            text[:position] + text[position + 1 :],
            text[:position] + "!" + text[position:],
        ):
            with pytest.raises(Malformed):
                sealer.open("purpose", changed)


@pytest.mark.parametrize("text", ["", "Fe26.2", "a*b*c*d", "ä*ö*ü*ß", "Fe26.2**A*A", "*" * 50])
def test_garbage(text: str) -> None:
    """Anything else is malformed, never an error of another kind."""
    with pytest.raises(Malformed):
        Sealer().open("purpose", text)
