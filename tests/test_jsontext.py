"""How deep JSON from outside may be nested."""

import time

import pytest

from flask_auth0_mfa.jsontext import MAX_DEPTH, parse


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth(opening, closing):
    """The deepest level is read, one more is not."""
    deepest = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH
    assert parse(deepest)
    with pytest.raises(ValueError, match="deeply"):
        parse(opening + deepest + closing)


@pytest.mark.parametrize("text", ["[" * 20_000, '{"a":' * 20_000, '["\\"",' * 20_000])
def test_thousands(text):
    """Brackets by the thousand are refused before the parser sees them, closed or not."""
    with pytest.raises(ValueError, match="deeply"):
        parse(text)


def test_text_without_end():
    """A text of quotes that never end is refused as fast as any other of its length."""
    before = time.process_time()
    with pytest.raises(ValueError, match="deeply"):
        parse("[" * (MAX_DEPTH + 1) + '"' + '\\"' * 15_000)
    with pytest.raises(ValueError, match="Unterminated"):
        parse("[" + "[]," * MAX_DEPTH + '"' + '\\"' * 15_000 + "\\")
    # To try each quote for the beginning of a text took seconds.
    assert time.process_time() - before < 1


def test_width():
    """Many things side by side are no nesting, and brackets within text are none."""
    assert len(parse("[" + ",".join(["[]"] * 5_000) + "]")) == 5_000
    assert parse('["' + "[" * 5_000 + '", "\\"[' + "{" * 5_000 + '"]')


def test_bytes():
    """Bytes are UTF-8, and nothing else."""
    assert parse('{"name": "Zoë"}'.encode()) == {"name": "Zoë"}
    with pytest.raises(ValueError, match="utf-8"):
        parse('{"name": "Zoë"}'.encode("latin-1"))
