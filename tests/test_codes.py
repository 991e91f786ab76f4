"""Codes as people type and paste them: what is cleaned, and what cannot be a code."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_auth0_mfa.codes import CodeFormatError, clean_code, clean_email, clean_number

EVERY = [chr(number) for number in range(sys.maxunicode + 1)]
DECIMALS = [c for c in EVERY if c.isdecimal()]
#: Every digit of every script, by its value.
DIGITS = [[c for c in DECIMALS if unicodedata.digit(c) == n] for n in range(10)]
SEPARATORS = [c for c in EVERY if unicodedata.category(c) in {"Zs", "Pd", "Cf", "Cc"}] + ["_", "."]


@st.composite
def typed_codes(draw, shortest=6):
    """Return digits, and the same digits of any scripts with separators anywhere between them."""
    code = draw(st.lists(st.integers(0, 9), min_size=shortest, max_size=6))
    separators = st.text(st.sampled_from(SEPARATORS), max_size=3)
    typed = draw(separators)
    for digit in code:
        typed += draw(st.sampled_from(DIGITS[digit])) + draw(separators)
    return "".join(map(str, code)), typed


def refusal(kind, text):
    """Return why the text cannot be a code of that kind."""
    with pytest.raises(CodeFormatError) as caught:
        clean_code(kind, text)
    return caught.value.reason


class TestOtp:
    """Six digits of an authenticator app."""

    @settings(deadline=None, max_examples=300)
    @given(typed_codes())
    def test_any_separators(self, code):
        """Digits of any script, with separators anywhere, are the six digits."""
        digits, typed = code
        assert clean_code("otp", typed) == digits

    @settings(deadline=None, max_examples=500)
    @given(
        st.text(max_size=30)
        | st.text(st.sampled_from("0123456789 -\u00a0aO²①㉑½\u0661\uff11."), max_size=12)
        | st.builds(lambda code, more: code[1] + more, typed_codes(), st.text(max_size=2))
    )
    @example("㉑㉑㉑")
    @example("12345O")
    def test_nothing_else(self, text):
        """What passes is six characters with a digit's value, and separators; nothing else."""
        entered = [c for c in text if c not in SEPARATORS]
        values = [unicodedata.digit(c, None) for c in entered]
        try:
            code = clean_code("otp", text)
        except CodeFormatError:
            assert len(entered) != 6 or None in values
        else:
            assert code == "".join(map(str, values))
            assert len(code) == 6

    @pytest.mark.parametrize(
        "text",
        [
            "123456",
            " 123456 ",
            "123 456",
            "123-456",
            "12-34-56",
            "123\u2013456",
            "123\u2014456",
            "123.456",
            "123_456",
            "123\u00a0456",
            "123\u202f456",
            "1\t2\t3\t4\t5\t6",
            "123456\n",
            "123456\r\n",
            "\ufeff123456",
            "\u200b123456\u200e",
            "\u202a123456\u202c",
            "\uff11\uff12\uff13\uff14\uff15\uff16",
            "\u0661\u0662\u0663\u0664\u0665\u0666",
            "\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6",
            "\u0967\u0968\u0969\u096a\u096b\u096c",
            " " * 250 + "123456",
        ],
    )
    def test_as_pasted(self, text):
        """Codes come with blanks, dashes, invisible characters and other keyboards' digits."""
        assert clean_code("otp", text) == "123456"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (None, "empty"),
            ("", "empty"),
            ("   ", "empty"),
            ("---", "empty"),
            ("\u200b", "empty"),
            ("12345", "length"),
            ("1234567", "length"),
            ("1" * 10_000, "length"),
            # More than 256 characters are not looked at, separators or not.
            (" " * 251 + "123456", "length"),
            ("12345a", "characters"),
            ("O12345", "characters"),
            ("abcdef", "characters"),
            ("１２３４５六", "characters"),
            ("123+456", "characters"),
            ("+123456", "characters"),
            ("12345½", "characters"),
            ("<script>", "characters"),
            ("123456'--", "characters"),
            ("\ud800", "characters"),
            ("12345\u0301", "characters"),
        ],
    )
    def test_refused(self, text, reason):
        """What cannot be a code is refused with the reason."""
        assert refusal("otp", text) == reason

    @pytest.mark.parametrize(("text", "entered"), [("1", 1), ("12 34-5", 5), ("12345678", 8)])
    def test_how_many(self, text, entered):
        """A code of the wrong length says how many digits there were."""
        with pytest.raises(CodeFormatError) as caught:
            clean_code("otp", text)
        assert caught.value.entered == entered

    def test_error_text(self):
        """The error does not show what was entered."""
        with pytest.raises(CodeFormatError) as caught:
            clean_code("otp", "12345x")
        assert "1234" not in str(caught.value) + repr(caught.value)


class TestMessage:
    """The code of a text message, call or e-mail."""

    @pytest.mark.parametrize("length", range(4, 11))
    def test_lengths(self, length):
        """Four to ten digits can be one: the tenant decides how many it sends."""
        assert clean_code("message", "9" * length) == "9" * length

    @pytest.mark.parametrize("length", [1, 2, 3, 11, 50])
    def test_other_lengths(self, length):
        """Fewer or more cannot."""
        assert refusal("message", "9" * length) == "length"

    @settings(deadline=None)
    @given(typed_codes(shortest=4))
    def test_any_separators(self, code):
        """It may be typed as freely as any other code."""
        assert clean_code("message", code[1]) == code[0]

    def test_letters(self):
        """It has no letters."""
        assert refusal("message", "12345a") == "characters"


class TestRecovery:
    """The long code for when the phone is gone."""

    @pytest.mark.parametrize(
        "text",
        [
            "N3BGPZZWJ85JLCNPZBDW6QXC",
            "n3bgpzzwj85jlcnpzbdw6qxc",
            "N3BG PZZW J85J LCNP ZBDW 6QXC",
            "n3bg-pzzw-j85j-lcnp-zbdw-6qxc",
            " N3BGPZZWJ85JLCNPZBDW6QXC\n",
            "Ｎ３ＢＧPZZWJ85JLCNPZBDW6QXC",  # noqa: RUF001 - the characters of another keyboard
        ],
    )
    def test_as_typed(self, text):
        """Small letters, groups and full-width letters are the same code."""
        assert clean_code("recovery-code", text) == "N3BGPZZWJ85JLCNPZBDW6QXC"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "empty"),
            (" - ", "empty"),
            ("ABC1234", "length"),
            ("A" * 65, "length"),
            ("ABCD1234!", "characters"),
            ("ABCDÉ1234", "characters"),
            ("АBCD12345", "characters"),  # noqa: RUF001 - a Cyrillic A
            ("ABCD/12345", "characters"),
        ],
    )
    def test_refused(self, text, reason):
        """Eight to 64 letters and digits can be one, nothing else."""
        assert refusal("recovery-code", text) == reason

    @settings(deadline=None)
    @given(st.text())
    def test_any_text(self, text):
        """What passes is in capital letters and digits."""
        try:
            code = clean_code("recovery-code", text)
        except CodeFormatError:
            return
        assert code.isascii()
        assert code.isalnum()
        assert code == code.upper()


@pytest.mark.parametrize(
    "typed",
    [
        "+44 7700 900123",
        "\u202a+44 7700\u2011900123\u202c",
        "\uff0b\uff14\uff14\u3000\uff17\uff17\uff10\uff10 900123",
        "+\u0664\u0664 7700 900123",
        "+44 (0)7700 900123",
        "+44 (7700) 900.123\u200b",
    ],
)
def test_number(typed):
    """A number as people copy and type it: with marks of direction, in any script's digits."""
    assert clean_number(typed) == "+447700900123"


@pytest.mark.parametrize(
    "typed", [" ana@example.com ", "\u200bana@example.com\ufeff", "ana\uff20example.com"]
)
def test_email(typed):
    """An address without what cannot be seen in it."""
    assert clean_email(typed) == "ana@example.com"


def test_digit_without_a_place():
    """A digit of a script that does not count in places, such as Ethiopic, is no digit here."""
    with pytest.raises(CodeFormatError) as error:
        clean_code("otp", "12345\u1369")
    assert error.value.reason == "characters"
