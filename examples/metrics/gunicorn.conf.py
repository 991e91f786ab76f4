"""What gunicorn needs so that the numbers of a worker that has ended stay right."""

from __future__ import annotations

from typing import Any

from prometheus_client.multiprocess import mark_process_dead


def child_exit(_server: Any, worker: Any) -> None:
    """Forget what only a living process can say."""
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library's gap
