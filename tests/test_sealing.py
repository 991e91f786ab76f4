"""Sealed values: what opens one, and everything that must not."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import string
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from flask_auth0_mfa import sealing
from flask_auth0_mfa.sealing import (
    AUDIENCE,
    CONTEXT,
    EVENT,
    FORM,
    LOGIN,
    MAX_LENGTH,
    MAX_PLAINTEXT,
    MFA_TOKEN,
    SESSION,
    STATE,
    TARGET,
    SealBrokenError,
    Sealer,
    SealExpiredError,
)

from .still import NOW, StillClock

OLD = b"the old secret key, long enough for anything"
NEW = b"the new secret key, long enough for anything"
CONTENT = {"sub": "auth0|ana", "scope": ["a", "b"], "at": 1, "none": None, "name": "Ána 中 🔐"}
PURPOSES = (SESSION, AUDIENCE, CONTEXT, TARGET, MFA_TOKEN, FORM, LOGIN, STATE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def sealer_of(*secrets, clock=None):
    """Return a sealer with these secrets, the current one first."""
    return Sealer(lambda: secrets, clock or StillClock())


@pytest.fixture
def clock():
    """A clock that stands still."""
    return StillClock()


@pytest.fixture
def sealer(clock):
    """A sealer with one secret."""
    return sealer_of(OLD, clock=clock)


@pytest.fixture
def sealed(sealer):
    """Some content, sealed for five minutes."""
    return sealer.seal(SESSION, CONTENT, NOW + 300)


def is_refused(sealer, sealed, purpose=SESSION):
    """Tell whether the value is called broken: no content, and no other error."""
    try:
        sealer.open(purpose, sealed)
    except SealBrokenError:
        return True
    return False


class TestContent:
    """What goes in comes out."""

    @settings(deadline=None, max_examples=50)
    @given(st.dictionaries(st.text(), JSON, max_size=6))
    def test_round_trip(self, content):
        """Any JSON object comes back as it was."""
        sealer = sealer_of(OLD)
        assert sealer.open(SESSION, sealer.seal(SESSION, content, NOW + 1)) == content

    def test_any_ending(self, sealer):
        """A seal opens whatever characters its random parts end in."""
        seals = [sealer.seal(SESSION, CONTENT, NOW + 300) for _ in range(500)]
        assert len({one.split(".")[0][-1] for one in seals}) > 50
        assert all(sealer.open(SESSION, one) == CONTENT for one in seals)

    def test_cookie_characters(self, sealed):
        """A seal consists of characters that need no quoting in a cookie, header or address."""
        assert set(sealed) <= set(string.ascii_letters + string.digits + "-_.")

    def test_nothing_is_readable(self, sealer):
        """The content cannot be found in the seal, nor in its decoded parts."""
        secret = "find-me-if-you-can"
        sealed = sealer.seal(SESSION, {"token": secret}, NOW + 300)
        raw = b"".join(base64.urlsafe_b64decode(part + "===") for part in sealed.split("."))
        assert secret not in sealed
        assert secret.encode() not in raw

    def test_same_content_twice(self, sealer):
        """Two seals of one content differ, so nobody sees that a value came back."""
        assert sealer.seal(SESSION, CONTENT, NOW + 1) != sealer.seal(SESSION, CONTENT, NOW + 1)

    def test_length_tells_no_repetition(self, sealer):
        """Text that repeats a secret is no shorter than other text (CRIME)."""
        secret = "zq7wkx9vbj3hgfy5"
        lengths = {
            len(sealer.seal(SESSION, {"token": secret, "return_to": guess}, NOW + 1))
            for guess in (secret, secret[::-1], "".join(sorted(secret)))
        }
        assert len(lengths) == 1

    def test_size(self, sealer):
        """A sealed token of 2 000 characters fits into one cookie."""
        token = "Fe26.2*SERVER_1712*" + "aB3-_xYz9Q" * 198
        assert len(sealer.seal(CONTEXT, {"raw_mfa_token": token}, NOW + 1)) < 2_400


class TestTampering:
    """A changed value is broken; no other error ever comes out."""

    def test_every_truncation(self, sealer, sealed):
        """No beginning and no end of a seal opens."""
        beginnings = [sealed[:length] for length in range(len(sealed))]
        ends = [sealed[start:] for start in range(1, len(sealed) + 1)]
        assert [part for part in beginnings + ends if not is_refused(sealer, part)] == []

    def test_every_character(self, sealer, sealed):
        """Whatever single character is put in the place of another, the seal does not open."""
        letters = string.ascii_letters + string.digits + "-_.=+/* \n\x00"
        opened = [
            (place, letter)
            for place, before in enumerate(sealed)
            for letter in letters
            if letter != before
            and not is_refused(sealer, sealed[:place] + letter + sealed[place + 1 :])
        ]
        assert opened == []

    def test_every_bit(self, sealer, sealed):
        """A seal with any bit of its nonce, text or tag turned over does not open."""
        parts = [base64.urlsafe_b64decode(part + "===") for part in sealed.split(".")]
        opened = []
        for number, part in enumerate(parts):
            for bit in range(len(part) * 8):
                flipped = bytearray(part)
                flipped[bit // 8] ^= 1 << bit % 8
                changed = [*parts[:number], bytes(flipped), *parts[number + 1 :]]
                text = ".".join(
                    base64.urlsafe_b64encode(one).decode().rstrip("=") for one in changed
                )
                if not is_refused(sealer, text):
                    opened.append((number, bit))
        assert opened == []

    def test_every_insertion(self, sealer, sealed):
        """A character more, anywhere, breaks a seal."""
        opened = [
            (place, letter)
            for place in range(len(sealed) + 1)
            for letter in "A.=\n!"
            if not is_refused(sealer, sealed[:place] + letter + sealed[place:])
        ]
        assert opened == []

    @pytest.mark.parametrize("by", [-12, -4, 4, 12])
    def test_moved_dot(self, sealer, sealed, by):
        """A nonce of another length is none, also where all the bytes are there."""
        nonce, ciphertext, tag = sealed.split(".")
        both, end = nonce + ciphertext, len(nonce) + by
        assert is_refused(sealer, f"{both[:end]}.{both[end:]}.{tag}")

    def test_short_tag(self, sealer, sealed):
        """A tag of fewer than 16 bytes, which could be guessed, is refused (CVE-2025-47275)."""
        nonce, text, tag = sealed.split(".")
        whole = base64.urlsafe_b64decode(tag + "==")
        for length in range(16):
            short = base64.urlsafe_b64encode(whole[:length]).decode().rstrip("=")
            assert is_refused(sealer, f"{nonce}.{text}.{short}")

    def test_parts_of_two_seals(self, sealer, sealed):
        """Parts of two genuine seals do not make a third."""
        other = sealer.seal(SESSION, {"sub": "auth0|ben"}, NOW + 300)
        first, second = sealed.split("."), other.split(".")
        for which in range(1, 7):
            mixed = [second[i] if which >> i & 1 else first[i] for i in range(3)]
            assert is_refused(sealer, ".".join(mixed))

    @pytest.mark.parametrize(
        "value",
        [
            "",
            ".",
            "..",
            "....",
            "." * 500,
            "é",
            "ana.\u0661.中文",
            "\ud800",
            "\x00",
            "null",
            "{}",
            "=====",
            "a.b.c",
            "a.b.c.d.e",
            "e30..a.b.c",
        ],
    )
    def test_not_a_seal(self, sealer, value):
        """Anything else that a browser can send is broken, and nothing worse."""
        assert is_refused(sealer, value)

    def test_non_ascii_in_a_genuine_seal(self, sealer, sealed):
        """A seal in look-alike characters is refused."""
        assert is_refused(sealer, sealed[:-1] + "\u0430")
        assert is_refused(sealer, sealed.replace(".", "\u3002"))

    @pytest.mark.parametrize("letter", ["A", ".", "é"])
    def test_megabyte(self, sealer, letter):
        """A megabyte is refused by its length, before any work is done."""
        assert is_refused(sealer, letter * 1_000_000)

    def test_genuine_but_too_long(self, sealer):
        """Even a genuine seal is refused when it is longer than anything we hand out."""
        content = {"token": secrets.token_urlsafe(MAX_LENGTH)}
        sealed = sealer.seal(SESSION, content, NOW + 300)
        assert len(sealed) > MAX_LENGTH
        # It is its length alone that is wrong: unpacked it would not be too much.
        assert len(content["token"]) < MAX_PLAINTEXT - 1000
        assert is_refused(sealer, sealed)

    @settings(deadline=None, max_examples=50)
    @given(st.text(max_size=200))
    def test_any_text(self, value):
        """No text at all brings another error."""
        assert is_refused(sealer_of(OLD), value)


class TestPlaintext:
    """Whoever knows the key still cannot make us read another shape."""

    @pytest.mark.parametrize(
        "plaintext",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"not json",
            b"\xff\xfe",
            b'{"exp":1900000000}',
            b'{"d":{}}',
            b'{"exp":"1900000000","d":{}}',
            b'{"exp":null,"d":{}}',
            b'{"exp":1900000000,"d":[]}',
            b'{"exp":1900000000,"d":"text"}',
            b'{"exp":NaN,"d":{}}',
            b"[" * 60_000,
        ],
    )
    @pytest.mark.parametrize("is_packed", [True, False])
    def test_other_shapes(self, sealer, plaintext, is_packed):
        """A genuine seal around anything but an envelope is broken."""
        if is_packed:
            plaintext = packed(plaintext)
        assert is_refused(sealer, encrypted(plaintext))

    def test_inflating(self, sealer):
        """A seal that unpacks to more than we ever seal is broken, not read."""
        bomb = packed(b'{"exp":1900000000,"d":{"a":"' + b"a" * MAX_PLAINTEXT + b'"}}')
        assert is_refused(sealer, encrypted(bomb))

    def test_another_algorithm(self, sealer):
        """A value cannot name its own algorithm: the header is ours, so a whole JWE is broken."""
        key = OctKey.import_key(sealing._key(OLD, SESSION))
        whole = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, b"{}", key)
        assert is_refused(sealer, whole)
        other = OctKey.import_key(key.raw_value[:16])
        weaker = jwe.encrypt_compact({"alg": "A128KW", "enc": "A128GCM"}, b"{}", other)
        assert is_refused(sealer, weaker)


def test_jwe(sealer):
    """A seal is a JWE, to which only the header was added."""
    header = base64.urlsafe_b64encode(b'{"alg":"dir","enc":"A256GCM"}').rstrip(b"=").decode()
    key = OctKey.import_key(sealing._key(OLD, SESSION))
    whole = f"{header}..{sealer.seal(SESSION, {'a': 'é'}, 1_900_000_000)}"
    text = zlib.decompress(jwe.decrypt_compact(whole, key).plaintext, -15)
    assert json.loads(text) == {"exp": 1_900_000_000, "d": {"a": "é"}}


def packed(plaintext):
    """Return bytes as the sealer packs them."""
    coder = zlib.compressobj(1, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(plaintext) + coder.flush()


def encrypted(plaintext):
    """Return a seal for the session around these very bytes."""
    header = {"alg": "dir", "enc": "A256GCM"}
    key = OctKey.import_key(sealing._key(OLD, SESSION))
    sealed = jwe.encrypt_compact(header, plaintext, key)
    return sealed.split("..", 1)[1]


class TestKeys:
    """One key opens one purpose."""

    def test_foreign_key(self, sealed):
        """Another application's secret opens nothing."""
        assert is_refused(sealer_of(NEW), sealed)

    def test_nearly_the_same_key(self, sealed):
        """Nor does a secret that differs in one bit."""
        assert is_refused(sealer_of(OLD[:-1] + bytes([OLD[-1] ^ 1])), sealed)

    @pytest.mark.parametrize("written", PURPOSES)
    @pytest.mark.parametrize("read", PURPOSES)
    def test_other_purpose(self, sealer, written, read):
        """A value sealed for one purpose is broken for every other."""
        sealed = sealer.seal(written, CONTENT, NOW + 300)
        assert is_refused(sealer, sealed, read) == (written != read)

    def test_names_of_another_purpose(self, sealer):
        """What stands in the log for somebody is no key of the shared storage."""
        assert sealer.names("user", "ana", purpose=EVENT) != sealer.names("user", "ana")

    def test_rotation(self, sealed):
        """A value of the old key opens while that is a fallback, and no longer."""
        assert sealer_of(NEW, OLD).open(SESSION, sealed) == CONTENT
        assert is_refused(sealer_of(NEW), sealed)

    def test_current_key_seals(self):
        """The first secret seals: without its fallback a new value opens, an old one does not."""
        sealed = sealer_of(NEW, OLD).seal(SESSION, CONTENT, NOW + 300)
        assert sealer_of(NEW).open(SESSION, sealed) == CONTENT
        assert is_refused(sealer_of(OLD), sealed)

    def test_rotation_while_running(self):
        """A change of the secrets takes effect without a restart."""
        secrets = [OLD]
        sealer = Sealer(lambda: secrets, StillClock())
        before = sealer.seal(SESSION, CONTENT, NOW + 300)
        secrets.insert(0, NEW)
        after = sealer.seal(SESSION, CONTENT, NOW + 300)
        assert sealer.open(SESSION, before) == CONTENT
        assert not is_refused(sealer_of(NEW), after)

    def test_many_fallbacks(self, sealed):
        """Every fallback is tried, in whatever place the right one stands."""
        others = [bytes([number]) * 32 for number in range(20)]
        assert sealer_of(*others, OLD).open(SESSION, sealed) == CONTENT

    def test_tampered_with_fallbacks(self, sealed):
        """Several keys do not make a changed value genuine."""
        assert is_refused(sealer_of(NEW, OLD), sealed[:-2] + "AA")


class TestExpiry:
    """The end is inside the seal, whatever the cookie around it says (CVE-2025-46344)."""

    @pytest.mark.parametrize("age", [0, 1, 299, 299.999])
    def test_before(self, sealer, sealed, clock, age):
        """A seal opens until its last moment."""
        clock.advance(age)
        assert sealer.open(SESSION, sealed) == CONTENT

    @pytest.mark.parametrize("age", [300, 300.001, 301, 10**9])
    def test_after(self, sealer, sealed, clock, age):
        """From the moment of its end on, it has expired."""
        clock.advance(age)
        with pytest.raises(SealExpiredError):
            sealer.open(SESSION, sealed)

    def test_content_of_an_expired_seal(self, sealer, sealed, clock):
        """What an expired seal held is known, so that a check can be started again."""
        clock.advance(300)
        with pytest.raises(SealExpiredError) as caught:
            sealer.open(SESSION, sealed)
        assert caught.value.content == CONTENT

    def test_error_text(self, sealer, sealed, clock):
        """The error does not show what the seal held."""
        clock.advance(300)
        with pytest.raises(SealExpiredError) as caught:
            sealer.open(SESSION, sealed)
        assert "auth0|ana" not in str(caught.value) + repr(caught.value)

    def test_expired_and_changed(self, sealer, sealed, clock):
        """A changed value is broken, also after its end: nothing is told about it."""
        clock.advance(300)
        assert is_refused(sealer, sealed[:-2] + "AA")

    def test_expired_with_an_old_key(self, clock, sealed):
        """A value of a fallback ends at its time, too."""
        clock.advance(300)
        with pytest.raises(SealExpiredError):
            sealer_of(NEW, OLD, clock=clock).open(SESSION, sealed)


class TestNames:
    """Keys under which something is kept where others may look."""

    def test_tells_nothing(self, sealer):
        """A name shows no part of what it stands for."""
        assert "ana" not in sealer.name("user", "auth0|ana")

    def test_same_parts(self, sealer):
        """The same parts make the same name, in every process with this secret."""
        assert sealer.name("user", "ana") == sealer_of(OLD).name("user", "ana")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("user", "ana"), ("user", "ben")),
            (("user", "ana"), ("useran", "a")),
            (("user", "ana"), ("user", "ana", "")),
            (("user",), ("user", "")),
            (("ab", "c"), ("a", "bc")),
        ],
    )
    def test_other_parts(self, sealer, one, other):
        """Other parts make another name, wherever they are cut."""
        assert sealer.name(*one) != sealer.name(*other)

    def test_other_secret(self, sealer):
        """Another application's name for the same thing is another."""
        assert sealer.name("user", "ana") != sealer_of(NEW).name("user", "ana")

    @pytest.mark.parametrize("part", ["", "\x00", "é中", "\ud800", "a" * 100_000])
    def test_any_text(self, sealer, part):
        """Any text has a name of the usual length."""
        assert len(sealer.name("user", part)) == 40


def test_nothing_is_logged(sealer, sealed, caplog):
    """Opening a value, good or bad, leaves no line in any log."""
    with caplog.at_level(logging.DEBUG):
        sealer.open(SESSION, sealed)
        is_refused(sealer, sealed[:-2] + "AA")
    assert caplog.records == []


def test_name_stays():
    """A release that named things otherwise would forget every lock, limit and used mark."""
    sealer = sealer_of(NEW)
    assert sealer.name("limit", "user", "auth0|ana é") == "d34f08f40f9fd70aae52c327753b4ae0d0d0cc39"


def test_no_byte_for_spaces(sealer):
    """The content is written without spaces: in a cookie every byte counts."""
    plain = zlib_length('{"exp":1800000000,"d":{"a":1,"b":2}}')
    # Initialisation vector, ciphertext and tag in base64url, and two dots.
    expected = 16 + (plain * 8 + 5) // 6 + 22 + 2
    assert len(sealer.seal(SESSION, {"a": 1, "b": 2}, 1_800_000_000)) == expected


def zlib_length(text):
    """Return how many bytes a text takes when it is Huffman-coded only."""
    coder = zlib.compressobj(1, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY)
    return len(coder.compress(text.encode()) + coder.flush())
