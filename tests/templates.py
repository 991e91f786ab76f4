"""Compiled templates that every application of a test run shares."""

from __future__ import annotations

from types import CodeType

from jinja2.bccache import Bucket, BytecodeCache

_Key = tuple[str, str, tuple[str, ...]]


class TemplateMemory(BytecodeCache):
    """Keeps what Jinja has compiled, by name, file, source and extensions, in this process."""

    def __init__(self) -> None:
        self._compiled: dict[_Key, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if its template has been compiled before."""
        bucket.code = self._compiled.get(_key(bucket))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what has just been compiled."""
        if bucket.code is not None:
            self._compiled[_key(bucket)] = bucket.code


def _key(bucket: Bucket) -> _Key:
    # An extension may read the same source in another way.
    return bucket.key, bucket.checksum, tuple(sorted(bucket.environment.extensions))
