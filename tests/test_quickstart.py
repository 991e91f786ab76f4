"""The quickstart, typed as it stands: a fresh installation, two terminals, and a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

import flask_auth0_mfa

from .observed import ANA
from .snippets import snippets
from .visitor import Page

ROOT = Path(__file__).parent.parent
PACKAGE = Path(flask_auth0_mfa.__file__).parent


@pytest.fixture
def clone(tmp_path) -> Path:
    """A fresh clone, as far as an installation needs it."""
    directory = tmp_path / "clone"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, directory / PACKAGE.name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, directory)
    return directory


@pytest.fixture
def terminals(tmp_path, clone) -> Iterator[Callable[[str], None]]:
    """Return a function that types lines into a new terminal, in the clone of a new user."""
    # The interpreter of this run is new enough; a machine's own python3 may not be.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"HOME": str(tmp_path), "PATH": path, "LANG": "C.UTF-8"}
    with ExitStack() as open_ones:

        def type_lines(lines: str) -> None:
            log = open_ones.enter_context((tmp_path / f"{time.time_ns()}.log").open("w"))
            shell = subprocess.Popen(  # noqa: S603 - what the page says to type
                ["/bin/bash", "-e", "-c", lines],
                cwd=clone,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            open_ones.callback(shell.wait)
            open_ones.callback(os.killpg, shell.pid, signal.SIGKILL)

        yield type_lines


@pytest.mark.slow
def test_quickstart_as_it_is_typed(terminals, tmp_path):
    """Typing what the quickstart shows, and nothing else, leads to a step-up."""
    ports = {"4400": free_port(), "5000": free_port()}
    page = list(snippets(ROOT / "docs" / "quickstart.rst"))
    (app,) = (one for one in page if one.caption == "app.py")

    for terminal in ("first terminal", "second terminal"):
        blocks = [one.code for one in page if one.caption == terminal]
        lines = re.findall(r"^\$ (.*)$", "".join(blocks), re.M)
        if terminal == "second terminal":
            (tmp_path / "shop" / "app.py").write_text(with_ports(app.code, ports), encoding="utf-8")
        terminals(with_ports("\n".join(lines), ports))
        wait_until_served(ports["4400" if terminal == "first terminal" else "5000"], tmp_path)

    tenant, shop = (f"http://localhost:{ports[port]}" for port in ("4400", "5000"))
    browser = requests.Session()
    browser.headers["Accept"] = "text/html"
    login = seen(browser.get(f"{shop}/transfer", timeout=10))
    choice = press(browser, login, "password", username=ANA, password="demo")
    assert "To move money we need a second check." in choice.text
    code_form = press(browser, choice, "Authenticator app")
    state = requests.get(f"{tenant}/_emulator/state", timeout=10).json()
    code = next(user["otp"] for user in state["users"] if user["email"] == ANA)
    assert "You may move money" in press(browser, code_form, "code", code=code).text

    stranger = requests.get(f"{shop}/transfer", headers={"Accept": "application/json"}, timeout=10)
    (shown,) = (json.loads(one.code) for one in page if one.language == "json")
    assert (stranger.status_code, stranger.json()) == (401, shown)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def with_ports(text: str, ports: dict[str, int]) -> str:
    """Return the text with ports that are free on this machine."""
    return re.sub(r"\b(4400|5000)\b", lambda match: str(ports[match[1]]), text)


def wait_until_served(port: int, logs: Path) -> None:
    """Wait until somebody answers on the port: a fresh installation takes a while."""
    for _ in range(1200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.25)
    output = "".join(one.read_text() for one in logs.glob("*.log"))
    raise AssertionError(f"nothing answers on port {port}\n{output}")


def seen(answer: requests.Response) -> Page:
    """Return an answer as a page."""
    return Page(answer.url, answer.status_code, answer.text, answer.headers)


def press(browser: requests.Session, page: Page, having: str, **values: str) -> Page:
    """Send a form of the page, as a browser does."""
    url, fields = page.form(having)
    return seen(browser.post(url, data=fields | values, timeout=10))
