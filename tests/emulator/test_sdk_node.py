"""Auth0's own SDK for JavaScript, @auth0/auth0-auth-js, against the tenant over TLS, unchanged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.server import RunningServer

pytestmark = pytest.mark.sdk

PACKAGE, VERSION = "@auth0/auth0-auth-js", "1.16.0"
SCRIPT = Path(__file__).with_name("sdk_node.mjs")
SCENARIOS = (
    "login",
    "otp",
    "sms",
    "push",
    "rejectedPush",
    "recoveryCode",
    "enrollOtp",
    "enrollSms",
    "enrollEmail",
    "removal",
    "revocation",
    "chain",
)


def unavailable(reason: str) -> None:
    """Skip, but not where everything has to be tested."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of the scenarios, beside the SDK from npm's registry, which is kept in a cache."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        unavailable("Node.js and npm are not installed")
    cache = request.config.cache
    folder = cache.mkdir("auth0-auth-js") if cache else tmp_path_factory.mktemp("auth0-auth-js")
    if installed_version(folder) != VERSION:
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        command = [str(npm), "install", *options, "--prefix", str(folder), f"{PACKAGE}@{VERSION}"]
        ended = subprocess.run(  # noqa: S603 - npm, with a pinned package
            command, capture_output=True, text=True, timeout=180, check=False
        )
        if ended.returncode:
            unavailable(f"npm could not install {PACKAGE}: {ended.stderr[-300:]}")
    return Path(shutil.copy(SCRIPT, folder))


def installed_version(folder: Path) -> str | None:
    """Return the version of the SDK in the cache."""
    manifest = folder / "node_modules" / PACKAGE / "package.json"
    if not manifest.exists():
        return None
    version: str = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return version


@pytest.fixture(scope="module")
def tls_server() -> Iterator[RunningServer]:
    """A tenant over https, as lenient about removal as this SDK expects."""
    with serve(Tenant(Configuration(remove_with_mfa_token=True)), tls=True) as server:
        yield server


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(script: Path, tls_server: RunningServer, scenario: str) -> None:
    """The scenario of the script runs through."""
    tls_server.tenant.reset()
    ended = subprocess.run(  # noqa: S603 - our own script
        [str(shutil.which("node")), str(script), scenario, tls_server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"NODE_EXTRA_CA_CERTS": str(tls_server.ca_file)},
    )
    assert ended.returncode == 0, ended.stderr
