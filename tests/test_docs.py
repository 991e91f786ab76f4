"""The documentation: its snippets run, and its tables agree with the code."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import entry_points
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import pytest
from blinker import NamedSignal
from flask import Flask
from jinja2 import Environment, FileSystemLoader, meta, nodes

import flask_auth0_mfa
from flask_auth0_mfa import Auth0MFA, errors, requires_stepup, signals
from flask_auth0_mfa.config import KEYS, PREFIX
from flask_auth0_mfa.emulator import Configuration, Tenant
from tools import diagrams, docs_links

from .browser.pages import OURS
from .conftest import PAYMENTS, SECRET_KEY
from .observed import ANA, logout_token, wrong_code
from .snippets import run, snippets
from .test_action import node
from .visitor import Visitor

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(flask_auth0_mfa.__file__).parent
PAGES = [*sorted(DOCS.glob("*.rst")), ROOT / "README.md", *sorted(ROOT.glob("examples/*/*.md"))]

#: Snippets that are shown and not run, and why. Change it together with the marker in the page.
NOT_RUN = {
    "README.md: they run this, and take minutes": 1,
    "docs/translations.rst: needs a package index": 1,
    "examples/own_login/README.md: needs a package index": 1,
    "examples/pico/README.md: needs a package index": 1,
    "examples/spa/README.md: needs a package index": 1,
}


def read(page: str) -> str:
    """Return the source of a page."""
    return (DOCS / f"{page}.rst").read_text(encoding="utf-8")


def table_rows(page: str) -> list[list[str]]:
    """Return the cells of every ``list-table`` of a page, header rows included."""
    rows: list[list[str]] = []
    for line in read(page).splitlines():
        if match := re.match(r"   \* - ?(.*)", line):
            rows.append([match[1]])
        elif match := re.match(r"     - ?(.*)", line):
            rows[-1].append(match[1])
        elif line.startswith("       ") and rows:
            rows[-1][-1] += f" {line.strip()}"
    return rows


def literals(cell: str) -> list[str]:
    """Return what stands in double backquotes."""
    return re.findall(r"``([^`]+)``", cell)


# -- snippets ----------------------------------------------------------------------------------


@pytest.fixture
def names(tenant, tenant_server, clock, monkeypatch, tmp_path) -> dict[str, Any]:
    """What snippets find: the local tenant in the environment, and an application to add to."""
    monkeypatch.setenv("FLASK_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("AUTH0_DOMAIN", tenant_server.url)
    monkeypatch.setenv("AUTH0_CLIENT_ID", "demo-client")
    monkeypatch.setenv("AUTH0_CLIENT_SECRET", "demo-secret")

    app = Flask("shop")
    app.config.from_prefixed_env()
    Auth0MFA(app, clock=clock)
    return {
        "__name__": "shop",
        "app": app,
        "clock": clock,
        "directory": str(tmp_path),
        "tenant": tenant,
        "Visitor": Visitor,
        "wrong_code": wrong_code,
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_snippets_run(page, names):
    """What a page shows, taken in order, runs and does what the page says."""
    run(page, names)


def test_every_snippet_is_run():
    """Each block of code is run with its page, by a check below it, or by a test that it names."""
    for page in PAGES:
        blocks = [one for one in snippets(page) if one.language != "text"]
        for block, after in zip_longest(blocks, blocks[1:]):
            place = f"{page.name}:{block.line}"
            if block.run_by:
                file, _, name = block.run_by.partition("::")
                assert name in names_of(ROOT / "tests" / file), f"{place} names {block.run_by}"
            elif not (block.is_run_here or block.not_run):
                is_checked = after is not None and after.is_check and "shown" in after.code
                assert is_checked, f"{place} is run by nobody"


@pytest.mark.parametrize(
    "block",
    [
        ".. code-block:: python\n\n   assert 1 == 2\n",
        ".. code-block:: console\n\n   $ flask auth0-mfa routes\n   RULE  NEEDS\n",
        ".. code-block:: console\n\n   $ flask auth0-mfa no-such-command\n",
        ".. code-block:: console\n\n   $ flask auth0-mfa action > action.js\n",
        '.. code-block:: json\n\n   {"a": 1}\n\n.. check:\n\n   assert shown == {"a": 2}\n',
    ],
    ids=["python", "output", "command", "status", "json"],
)
def test_wrong_snippet_is_noticed(block, names, tmp_path):
    """A page whose snippet fails, or shows what does not come out, does not pass."""
    page = tmp_path / "page.rst"
    page.write_text(f"Title\n=====\n\n{block}", encoding="utf-8")
    with pytest.raises(AssertionError):
        run(page, names)


def test_make_docs_runs_every_snippet():
    """``make docs`` runs each test that a page names for one of its blocks."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tests = re.findall(
        r"test_[\w:.]+", re.search(r"^SNIPPETS :=(.*?)\n\n", makefile, re.S | re.M)[1]
    )
    named = {one.run_by for page in PAGES for one in snippets(page) if one.run_by}
    missing = [name for name in named if not name.startswith(tuple(tests))]
    assert missing == []


def test_dead_links_are_found(tmp_path, capsys):
    """``make docs`` names a link to a page, a picture or a place that is not there."""
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">1</a><a href="b.html#gone">2</a><a href="c.html">3</a>'
        '<img src="/b.html"><a href="#top">4</a><a href="https://example.com/x">5</a>'
    )
    (tmp_path / "b.html").write_text('<p id="here"><img src="picture.svg">')
    (tmp_path / "README.md").write_text("[1](a.html) [2](d.rst) [3](https://example.com/)")
    assert docs_links.main([str(tmp_path), str(tmp_path / "README.md")]) == 1
    found = re.findall(r"/(\S+): (\S+)\n", capsys.readouterr().out)
    assert [(name.rpartition("/")[2], link) for name, link in found] == [
        ("a.html", "b.html#gone"),
        ("a.html", "c.html"),
        ("a.html", "#top"),
        ("b.html", "picture.svg"),
        ("README.md", "d.rst"),
    ]


def test_every_snippet_that_is_not_run_is_counted():
    """A snippet is left out only with a reason in the page, and the reason is known here."""
    left_out = Counter(
        f"{page.relative_to(ROOT)}: {one.not_run}"
        for page in PAGES
        for one in snippets(page)
        if one.not_run
    )
    assert left_out == NOT_RUN


def test_snippets_are_found():
    """The reader of the pages finds as many snippets as they have, and knows their language."""
    for page in PAGES:
        found, text = list(snippets(page)), page.read_text(encoding="utf-8")
        opened = re.findall(r"^ *\.\. (?:code-block|code|sourcecode|check):|^```\w", text, re.M)
        assert len(found) == len(opened), page
        assert all(one.language for one in found), page
        # A literal block has no language, so nobody would know how to run it.
        assert not re.search(r"^(?! *\.\. ).*::$", text, re.M), page


# -- tables ------------------------------------------------------------------------------------


def test_configuration_names_every_key():
    """The reference has each key with its default, and no other."""
    found = re.findall(
        r"^\.\. confval:: (\w+)\n   :type: .+\n   :default: (.+)$", read("configuration"), re.M
    )
    documented = dict(found)
    assert len(found) == len(documented)
    expected = {PREFIX + name.upper(): default_text(key) for name, key in KEYS.items()}
    assert {name: plain_default(text) for name, text in documented.items()} == expected


def plain_default(text: str) -> object:
    """Return the default that a page shows as a value; a word stands for itself."""
    return ast.literal_eval(text.strip("`")) if text.startswith("``") else text


def default_text(key: Any) -> object:
    """Return what the page must show for a key."""
    if key.required:
        return "required"
    return "none" if key.default is None else key.default


def subclasses(error: type[errors.Auth0MFAError]) -> set[type[errors.Auth0MFAError]]:
    """Return all classes below one."""
    below = set(error.__subclasses__())
    return below.union(*(subclasses(one) for one in below)) if below else below


def test_errors_names_every_class():
    """The table has each class that is raised, with its code and its status."""
    documented = {
        literals(row[0])[0]: (literals(row[1])[0], int(row[2]))
        for row in table_rows("errors")
        if literals(row[0])
    }
    bases = {errors.MfaTokenError, errors.MfaCallError}
    assert documented == {
        error.__name__: (error.error, error.status)
        for error in subclasses(errors.Auth0MFAError) - bases
        if error.__module__ == errors.__name__
    }


def test_signals_names_every_signal_and_argument(app, tenant, clock):
    """The table has each signal, with the arguments that it is really sent with."""
    documented = {
        literals(row[0])[0]: set(literals(row[1]))
        for row in table_rows("signals")
        if literals(row[0])
    }
    sent = {name for name, value in vars(signals).items() if isinstance(value, NamedSignal)}
    assert set(documented) == sent == set(signals.EVENTS)
    seen: dict[str, set[str]] = {}
    receivers = []
    for name in documented:

        def receive(sender: Any, _name: str = name, **arguments: Any) -> None:
            seen[_name] = set(arguments)

        getattr(signals, name).connect(receive, app)
        receivers.append(receive)
    everything_happens(app, tenant, clock)
    assert seen == documented


@pytest.mark.parametrize(
    ("heading", "refusal"),
    [
        ("Refused logins", signals.LoginRefusal),
        ("Refused logouts", signals.LogoutRefusal),
    ],
)
def test_signals_names_every_reason(heading, refusal):
    """The tables have every reason for which a login or a logout is refused, and no other."""
    section = re.split(r"^(.+)\n-+$", read("signals"), flags=re.M)
    table = section[section.index(heading) + 1]
    first = re.findall(r"^   \* - (.+)$", table, re.M)
    named = re.findall(r"\*([\w-]+)\*", " ".join(first))
    assert sorted(named) == sorted(get_args(refusal))


def everything_happens(app: Flask, tenant: Any, clock: Any) -> None:
    """Make Ana and Ben meet each event once."""
    app.add_url_rule("/kept", view_func=requires_stepup(PAYMENTS, remember=30)(lambda: "Open"))
    ana = Visitor(app)
    ana.log_in(ANA)
    ana.get("/token?audience=https://accounts.example.com")
    page = ana.challenge_page("/transfer", "Text message")
    ana.press(page, "Send a new code")
    ana.press(page, "code", code="000000")
    ana.press(page, "code", code=tenant.last_message(ANA).code)
    ana.get("/auth/logout")
    ana.log_in(ANA)
    page = ana.challenge_page("/kept")
    ana.press(page, "code", code=tenant.current_otp(ANA), remember="y")
    ana.press(ana.get("/auth/mfa/devices"), "Forget")
    ben = Visitor(app)
    ben.log_in("ben@example.com")
    page = ben.press(ben.get("/transfer"), "Authenticator app")
    ben.press(page, "code", code=tenant.current_otp("ben@example.com"))
    admin = "/token?audience=https://admin.example.com"
    late = ana.get(ana.mfa_required(admin)["challenge_url"])
    clock.advance(301)
    ana.get(late.url)
    ana.mfa_required(admin)
    ana.get("/auth/logout")
    ana.get("/auth/callback")
    ana.client.post("/auth/backchannel-logout")
    received = logout_token(tenant, sid="session-1", iat=int(clock()), exp=int(clock()) + 120)
    ana.client.post("/auth/backchannel-logout", data={"logout_token": received})
    with app.app_context():
        flask_auth0_mfa.current_auth0.unlock(tenant.user(ANA).sub)


def test_routes_are_all_there(app):
    """The list of routes in the page on step-up is that of the application."""
    listed = {
        tuple(literals(row[0])[0].split())
        for row in table_rows("stepup")
        if literals(row[0]) and "/auth/" in literals(row[0])[0]
    }
    # The address of a form leads back to the challenge page; the text below the table says so.
    back = {("GET", f"/auth/mfa/{name}") for name in ("verify", "restart", "poll")}
    assert (
        listed
        == {
            (method, rule.rule)
            for rule in app.url_map.iter_rules()
            if rule.endpoint.startswith("auth0_mfa.") and not rule.endpoint.endswith(".static")
            for method in rule.methods - {"HEAD", "OPTIONS"}
        }
        - back
    )


def test_questions_have_every_trouble():
    """The table of the questions has a row for each trouble that the doctor has a word for."""
    rows = [row for row in table_rows("faq") if len(row) == 2][1:]
    assert len(rows) == read("troubleshooting").count("*Doctor:*")


def test_comparison_has_evidence():
    """Each row of the comparison says where it stands, and the tests that it names are there."""
    compared = [row[0] for row in table_rows("comparison") if len(row) == 6][1:]
    proved = {row[0]: row[1] for row in table_rows("comparison") if len(row) == 2}
    assert set(compared) == set(proved) - {"Row"}
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"test_\w+\.py", " ".join(proved.values()))) <= tests


def test_names_that_others_move_to(app):
    """What the page on moving names as ours is there: keys, routes, functions, errors."""
    ours = " ".join(row[1] for row in table_rows("migrating"))
    routes = {rule.rule for rule in app.url_map.iter_rules()}
    assert set(re.findall(r"AUTH0_[A-Z_]+", ours)) <= {PREFIX + name.upper() for name in KEYS}
    assert set(re.findall(r"/auth/[\w/-]+", ours)) <= routes
    assert set(re.findall(r"\b[A-Z]\w+Error\b", ours)) <= set(vars(errors))
    assert set(re.findall(r"current_auth0\.(\w+)", ours)) <= set(dir(Auth0MFA))
    assert set(re.findall(r"@(\w+)", ours)) <= set(flask_auth0_mfa.__all__)


def test_api_names_everything_public():
    """The reference has each name that the package exports."""
    documented = set(re.findall(r"^\.\. (?:auto)?\w+:: ([\w]+)", read("api"), re.M))
    assert set(flask_auth0_mfa.__all__) <= documented


# -- customizing -------------------------------------------------------------------------------

TEMPLATES = PACKAGE / "templates" / "auth0_mfa"
COMMON = {
    "_",
    "account",
    "cancel_url",
    "dir",
    "help_url",
    "lang",
    "logo_url",
    "logout_url",
    "ngettext",
    "service_name",
    "stylesheet_url",
    "url_for",
}


def parsed(template: str) -> nodes.Template:
    """Return the syntax tree of a template."""
    return Environment(autoescape=True).parse((TEMPLATES / template).read_text(encoding="utf-8"))


def variables(template: str) -> set[str]:
    """Return what a template takes, without what it sets itself."""
    tree = parsed(template)
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    own |= {macro.name for macro in tree.find_all(nodes.Macro)}
    own |= {one.target for one in tree.find_all(nodes.Import)}
    return meta.find_undeclared_variables(tree) - own


def test_context_variables():
    """The table has each page with the variables that it takes: they are what others rely on."""
    documented = {
        literals(row[0])[0]: set(literals(row[1])) - {"address", "confirm"}
        for row in table_rows("customizing")
        if literals(row[0]) and literals(row[0])[0].endswith(".html")
    }
    states = {"info", "success", "warning", "error"}
    documented["message.html"] -= states
    pages = {path.name for path in TEMPLATES.glob("[a-z]*.html")} - {"base.html", "layout.html"}
    assert {page: variables(page) - COMMON for page in pages} == documented
    assert variables("layout.html") <= COMMON


def test_blocks():
    """The table has each block of the layout."""
    shown = re.search(r"\* - Block\n(.*?)\n\n\S", read("customizing"), re.S)
    documented = {literals(line)[0] for line in shown[1].splitlines() if line.startswith("   * -")}
    assert documented == {block.name for block in parsed("layout.html").find_all(nodes.Block)}


def test_css_properties():
    """The table has each property of the stylesheet."""
    css = (PACKAGE / "static" / "auth0_mfa.css").read_text(encoding="utf-8")
    rows = [cell for row in table_rows("customizing") for cell in literals(row[0])]
    assert {cell for cell in rows if cell.startswith("--")} == set(
        re.findall(r"^ +(--auth0-mfa-[a-z-]+):", css, re.M)
    )


def test_templates_of_the_page_can_be_used(make_app, tmp_path, tenant):
    """The templates that the page shows work, put where it says."""
    app = make_app()
    for one in snippets(DOCS / "customizing.rst"):
        if one.language == "html+jinja":
            target = tmp_path / one.caption
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(one.code, encoding="utf-8")
    app.jinja_loader = FileSystemLoader(tmp_path / "templates")
    ana = Visitor(app)
    ana.log_in(ANA)
    page = ana.challenge_page("/transfer", "Approve on your phone")
    assert "second-check.css" in page.html
    tenant.reject()
    assert ana.press(page, "I have approved it").heading == "You said no on your phone"


# -- step-up -----------------------------------------------------------------------------------

#: What a browser has, as far as the scripts of the page need it: an API that refuses.
BROWSER = """
const sent = [];
globalThis.location = {
  origin: "http://localhost",
  toString() { return this.origin; },
  assign(url) { sent.push(url); },
};
globalThis.addEventListener = () => {};
globalThis.Request = class extends Request {
  constructor(input, init) { super(new URL(input.url ?? input, location), init); }
};
globalThis.fetch = async (target) => {
  sent.push(target.url ?? String(target));
  const refusal = { error: "mfa_required", challenge_url: "/auth/mfa/challenge?context=C" };
  return Response.json(refusal, { status: 403 });
};
setTimeout(() => { console.log(JSON.stringify(sent)); process.exit(0); }, 50);
"""


@pytest.mark.node
@pytest.mark.parametrize("language", ["javascript", "html"])
def test_scripts_of_the_page_run(language, tmp_path):
    """The scripts that the page shows ask the API, and go on where its refusal says."""
    (code,) = (one.code for one in snippets(DOCS / "stepup.rst") if one.language == language)
    module = (PACKAGE / "static" / "stepup.js").as_uri()
    code = re.sub(r"</?script.*>", "", code).replace("/auth/mfa/static/stepup.js", module)
    # An import stands at the top, wherever it is written.
    (tmp_path / "page.mjs").write_text(f"{BROWSER}\n{code}", encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own script
        [node(), "page.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    asked, *_, left_for = json.loads(done.stdout)
    assert asked.endswith("/api/balance")
    assert left_for.endswith("/auth/mfa/challenge?context=C")


@pytest.mark.node
def test_fetch_of_the_page_sends_the_cookie(tmp_path):
    """The page's ``fetch`` sends the cookie to our routes, and leaves all other calls alone."""
    (code,) = (x.code for x in snippets(DOCS / "migrating.rst") if x.language == "javascript")
    before = "globalThis.fetch = async (_, options) => options?.credentials ?? null;"
    calls = """
    const body = { method: "POST", credentials: "omit" };
    const targets = ["/auth/mfa/challenge", "/elsewhere", "https://other.example/auth/mfa/x"];
    const sent = await Promise.all(targets.map((one) => fetch(one, body)));
    console.log(JSON.stringify([...sent, await fetch("/api")]));
    """
    (tmp_path / "page.mjs").write_text(f"{before}\n{code}\n{calls}", encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own script
        [node(), "page.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == ["same-origin", "omit", "omit", None]


# -- testing -----------------------------------------------------------------------------------


def test_tests_of_the_page_pass(tmp_path):
    """The test files that the page shows pass, in a directory with nothing else."""
    for one in snippets(DOCS / "testing.rst"):
        if one.caption and one.caption.endswith(".py"):
            (tmp_path / one.caption).write_text(one.code, encoding="utf-8")
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def pytest_in(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest there as a reader would, with the plugin also where it is not installed."""
    is_installed = any(one.name == "auth0_mfa" for one in entry_points(group="pytest11"))
    plugin = [] if is_installed else ["-p", "flask_auth0_mfa.testing.plugin"]
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugin],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_tenant_file_of_the_page_can_be_used(tmp_path):
    """The tenant file that the page shows describes a tenant."""
    (file,) = (one for one in snippets(DOCS / "testing.rst") if one.language == "toml")
    (tmp_path / "tenant.toml").write_text(file.code, encoding="utf-8")
    found = Tenant(Configuration.from_toml(tmp_path / "tenant.toml"))
    assert found.current_otp("eve@example.com")


def test_tenant_file_with_claims_can_be_used(tmp_path):
    """The tenant file of the page on APIs describes one whose tokens say what was proved."""
    (file,) = (one for one in snippets(DOCS / "apis.rst") if one.language == "toml")
    (tmp_path / "tenant.toml").write_text(file.code, encoding="utf-8")
    (api,) = Configuration.from_toml(tmp_path / "tenant.toml").apis
    assert api.claims_namespace == f"{api.identifier}/"


def test_users_of_the_page(tenant):
    """The page names each user of the local tenant."""
    rows = [literals(row[0])[0] for row in table_rows("testing") if "@" in row[0]]
    assert rows == [user.email for user in tenant.users]


# -- security ----------------------------------------------------------------------------------


def names_of(path: Path) -> set[str]:
    """Return the names of the tests in a file, as pytest writes them after the path."""
    found = set()
    for item in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.FunctionDef):
            found.add(item.name)
        if isinstance(item, ast.ClassDef):
            inside = (one for one in item.body if isinstance(one, ast.FunctionDef))
            found |= {f"{item.name}::{one.name}" for one in inside}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


#: Pages with a table of what holds and which tests show it.
PROVED = ("security", "accessibility")


def proofs(page: str) -> list[tuple[str, str]]:
    """Return item and test of every row of a page's table."""
    return [
        (literals(row[0])[0], proof)
        for row in table_rows(page)
        if literals(row[0])
        for proof in literals(row[-1])
    ]


@pytest.mark.parametrize(("item", "proof"), [one for page in PROVED for one in proofs(page)])
def test_proof_exists(item, proof):
    """Each test that the tables name is there."""
    file, _, name = proof.partition("::")
    assert name in names_of(ROOT / "tests" / file), f"{item} names {proof}"


@pytest.mark.parametrize("page", PROVED)
def test_every_row_has_a_proof(page):
    """A row of a table without a test is a promise, and belongs into the other section."""
    rows = [literals(row[0])[0] for row in table_rows(page) if literals(row[0])]
    assert rows
    assert set(rows) == {item for item, _ in proofs(page)}


def test_every_item_is_accounted_for():
    """Each item of the checklist is proved, built without proof, or missing: none is left out."""
    named = {int(one) for one in re.findall(r"SEC-(\d\d)", read("security"))}
    gaps = {*range(23, 30), *range(48, 50), *range(68, 70)}
    assert set(range(1, 77)) - gaps <= named


def test_every_item_of_the_pages_is_accounted_for():
    """So is each item of the checklist of the pages."""
    named = {int(one) for one in re.findall(r"UX-(\d\d)", read("accessibility"))}
    rows = ((1, 8), (10, 28), (30, 34), (40, 43), (50, 56), (60, 66), (70, 78), (80, 87), (90, 93))
    assert named == {one for first, last in rows for one in range(first, last + 1)}


def test_tenant_says_how_a_message_ends():
    """The text of a message binds its code to the site, so that phones fill it in nowhere else."""
    assert "let it end with ``@shop.example.com #`` and the code" in read("tenant")


# -- pictures ----------------------------------------------------------------------------------


def test_pictures():
    """Each page of ours is shown in every look, with words for it, and there are no other files."""
    shown = re.findall(r"image:: _static/pages/(\S+)\.png\n +:alt: \S", read("pages"))
    looks = ("light", "dark", "phone", "arabic")
    assert set(shown) == {f"{name}-{look}" for name in OURS for look in looks}
    files = list((DOCS / "_static" / "pages").iterdir())
    assert {file.name for file in files} == {f"{name}.png" for name in shown}
    # What everybody who clones the repository carries.
    assert sum(file.stat().st_size for file in files) < 1_600_000


# -- what the pages say of other files ---------------------------------------------------------


def test_architecture_names_every_module():
    """The table of modules is that of the package."""
    documented = {
        name.rstrip("/")
        for row in table_rows("architecture")
        if len(row) == 3
        for name in literals(row[0])
    }
    modules = {path.stem for path in PACKAGE.glob("[a-z]*.py")}
    assert documented == modules | {"doctor", "flows", "views"}


@pytest.mark.parametrize("name", diagrams.PICTURES)
def test_pictures_of_the_architecture(name):
    """The pictures show the floors as setup.cfg has them."""
    drawn = diagrams.PICTURES[name]()
    shown = (DOCS / "_static" / name).read_text(encoding="utf-8")
    assert shown == drawn, "run `python -m tools.diagrams`"


def test_floors_in_letters():
    """The text below the picture names the modules of each floor."""
    (text,) = (one.code for one in snippets(DOCS / "architecture.rst") if one.language == "text")
    modules = {module for floor in diagrams.floors() for module in floor}
    assert modules <= set(re.findall(r"\w+", text))


def test_docstrings_of_the_api():
    """Everything that the package exports says what it does."""
    exported = (getattr(flask_auth0_mfa, name) for name in flask_auth0_mfa.__all__)
    assert all(inspect.getdoc(one) for one in exported)
