"""``python -m flask_auth0_mfa.emulator``."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from flask_auth0_mfa.emulator import command

COMMAND = [sys.executable, "-m", "flask_auth0_mfa.emulator"]


@contextmanager
def running(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the command on a free port and give what it prints until its users are listed."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines: list[str] = []
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if "dan@example.com" in line:
                break
        try:
            yield "".join(lines), process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *options], capture_output=True, text=True, timeout=20, check=False
    )


def domain(printed: str) -> str:
    """Return the address in what the command prints."""
    found = re.search(r"Domain\s+(\S+)", printed)
    assert found, printed
    return found.group(1)


def test_start_and_stop() -> None:
    """It prints what one needs, at once and through a pipe, serves, and stops at Ctrl-C."""
    with running() as (printed, process):
        for text in ("demo-client", "demo-secret", "ana@example.com", "JBSWY3DPEHPK3PXP", "Phone"):
            assert text in printed
        assert "Not for production" in printed
        issuer = f"{domain(printed)}/"
        url = f"{issuer}.well-known/openid-configuration"
        assert requests.get(url, timeout=5).json()["issuer"] == issuer
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=10)
        assert "stopped" in rest
        assert errors == ""
        assert process.returncode == 0


def test_tls() -> None:
    """``--tls`` prints the CA file to trust; without it the server is not trusted."""
    with running("--tls") as (printed, _):
        found = re.search(r"CA to trust\s+(\S+)", printed)
        assert found
        url = f"{domain(printed)}/.well-known/jwks.json"
        assert url.startswith("https://localhost:")
        assert requests.get(url, timeout=5, verify=found.group(1)).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=5)
    assert not Path(found.group(1)).exists()


def test_stopped_by_a_service_manager() -> None:
    """SIGTERM stops it as Ctrl-C does, and the private key of ``--tls`` goes with it."""
    with running("--tls") as (printed, process):
        found = re.search(r"CA to trust\s+(\S+)", printed)
        assert found
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10)
    assert "stopped" in rest
    assert errors == ""
    assert process.returncode == 0
    assert not Path(found.group(1)).parent.exists()


def test_config(tmp_path: Path) -> None:
    """``--config`` serves the tenant of a file."""
    path = tmp_path / "tenant.toml"
    path.write_text('[[users]]\nemail = "dan@example.com"\nname = "D"\npassword = "secret"')
    with running("--config", str(path)) as (printed, _):
        assert "ana@example.com" not in printed
        assert "password secret" in printed


def test_bad_config(tmp_path: Path) -> None:
    """A bad file ends the start with a sentence."""
    path = tmp_path / "tenant.toml"
    path.write_text("colour = 1")
    ended = run("--config", str(path))
    assert ended.returncode == 1
    assert "colour" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_taken_port() -> None:
    """A port in use ends the start with a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port))
    assert ended.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_no_port(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that is no port ends the start with a sentence, too."""
    with pytest.raises(SystemExit) as ended:
        command.run([f"--port={port}"])
    assert ended.value.code == 2
    assert f"{port!r} is no port" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])  # noqa: S104
def test_loopback_only(host: str) -> None:
    """An address that others can reach is refused."""
    ended = run("--host", host)
    assert ended.returncode == 1
    assert "--allow-remote" in ended.stderr


def test_allow_remote() -> None:
    """``--allow-remote`` listens on it all the same."""
    with running("--host", "0.0.0.0", "--allow-remote") as (printed, _):  # noqa: S104
        port = domain(printed).rpartition(":")[2]
        answer = requests.get(f"http://127.0.0.1:{port}/.well-known/jwks.json", timeout=5)
        assert answer.status_code == 200


def test_ipv6_loopback() -> None:
    """``::1`` is loopback, too."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with running("--host", "::1") as (printed, _):
        assert domain(printed).startswith("http://localhost:")


def test_without_the_extra() -> None:
    """Without pyotp it ends with a sentence that names the extra."""
    hide = "import sys; sys.modules['pyotp'] = None; sys.argv = ['emulator', '--port', '0']"
    start = "import runpy; runpy.run_module('flask_auth0_mfa.emulator', run_name='__main__')"
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", f"{hide}; {start}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert 'pip install "flask-auth0-mfa[emulator]"' in ended.stderr
    assert "Traceback" not in ended.stderr
