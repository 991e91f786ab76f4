"""A server that answers byte by byte as a test says, for answers that no real server would give."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: Sends an answer on a connection.
Answer = Callable[[socket.socket], None]


class WireServer:
    """Reads requests on a loopback port, keeps them, and answers each with ``answer``."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.answer: Answer = hang_up
        #: Set when the server stops: ends answers that are slow on purpose.
        self.is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    @property
    def heads(self) -> list[str]:
        """The headers of every request, in lower case."""
        return [request.partition(b"\r\n\r\n")[0].decode().lower() for request in self.requests]

    def answers(self, *lines: str, body: bytes = b"{}") -> None:
        """Answer every request with this status line and these headers, and go on."""
        head = [*lines, f"Content-Length: {len(body)}"]
        whole = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        self.answer = lambda connection: connection.sendall(whole)

    def run(self) -> None:
        """Accept connections until the server is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                self._connections.append(connection)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            while request := _read_request(connection):
                self.requests.append(request)
                self.answer(connection)

    def close(self) -> None:
        """Stop, and end the connections that are open."""
        self.is_over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def hang_up(connection: socket.socket) -> None:
    """Close the connection without a word."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Break the connection off (TCP RST)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def wire_server() -> Iterator[WireServer]:
    """Run a server for the length of the block."""
    server = WireServer()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
