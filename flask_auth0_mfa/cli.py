"""``flask auth0-mfa``: the commands for those who operate an application.

Only what a command needs is imported, when it runs.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, cast

import click
from flask import Flask
from flask.cli import ScriptInfo

if TYPE_CHECKING:
    from .services import Services


@click.group("auth0-mfa")
def commands() -> None:
    """Step-up authentication with Auth0: examine it, set it up, list it."""


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--offline", is_flag=True, help="Ask nobody on the network.")
@click.option(
    "--base-url",
    metavar="URL",
    help="Where users reach the application: https://shop.example.com. Without it, SERVER_NAME.",
)
@click.option(
    "--refresh-token",
    "given",
    metavar="TOKEN",
    envvar="AUTH0_DOCTOR_REFRESH_TOKEN",
    help="A refresh token to try, of a login made for this: it is used up. - asks for it, so"
    " that it is in no list of processes and no history.",
)
@click.pass_context
def doctor(
    ctx: click.Context,
    *,
    as_json: bool,
    offline: bool,
    base_url: str | None,
    given: str | None,
) -> None:
    """Find what is wrong with the application's and the tenant's settings.

    Each finding says what it is, why it matters, and what to do. Changes nothing; a refresh token
    that is given is used up. The status is 1 if there are errors.

    Run it with the settings of production, not of your desk.
    """
    from .doctor import Subject, examine, has_errors, not_started, report
    from .errors import ConfigurationError
    from .secret import Secret

    if base_url is not None and not base_url.startswith(("https://", "http://")):
        raise click.BadParameter("must begin with https:// (or http://)", param_hint="--base-url")
    if given == "-":
        given = _typed("Refresh token")
    name, tenant = "application", None
    try:
        app = _application(ctx)
    except ConfigurationError as refusal:
        findings = not_started(refusal.problems)
    else:
        refresh_token = Secret(given.strip()) if given else None
        subject = Subject(app, base_url, refresh_token)
        name, tenant = app.name, subject.settings.base_url
        findings = examine(subject, offline=offline)
    if as_json:
        click.echo(report.as_json(findings, name, tenant))
    else:
        title = f"Application {name}, tenant {tenant}" if tenant else "An application that fails"
        _say(report.as_text(findings, title, width=_width()))
    ctx.exit(1 if has_errors(findings) else 0)


@commands.command()
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    metavar="API",
    help="Protect this API, too; may be given several times.",
)
@click.option(
    "--universal-login",
    is_flag=True,
    help="Ask also at a login that wants a second factor (acr_values).",
)
@click.pass_context
def action(ctx: click.Context, *, audiences: tuple[str, ...], universal_login: bool) -> None:
    """Write the tenant's post-login Action for the APIs that are guarded here.

    It asks for a second factor when a token for one of them is refreshed, and leaves all others
    alone. Save it with > action.js, and paste it into the dashboard (Actions > Library).
    """
    from .action import write_action
    from .inventory import guarded_apis

    wanted = {*guarded_apis(_application(ctx)), *audiences}
    if not wanted:
        raise click.ClickException(
            "No route is guarded by requires_stepup, so there is nothing to ask for. "
            "Guard a route, or name an API with --audience."
        )
    click.echo(write_action(wanted, universal_login=universal_login), nl=False)


@commands.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
)
@click.pass_context
def routes(ctx: click.Context, *, form: str) -> None:
    """List the guarded routes, and what their guards ask for.

    A route with several guards has a line for each. Routes without a guard of this extension are
    not listed.
    """
    from . import api, listing, services
    from .inventory import guarded_routes

    app = ctx.ensure_object(ScriptInfo).load_app()
    # An API that takes tokens has guards, and mostly no Auth0MFA with a default age.
    is_api = api.EXTENSION in app.extensions and services.EXTENSION not in app.extensions
    default = None if is_api else _services(app).settings.stepup_max_age
    rows = guarded_routes(app)
    if form == "json":
        click.echo(listing.as_json(rows, default))
    elif form == "markdown":
        click.echo(listing.as_markdown(rows, default))
    elif not rows:
        click.echo("No route is guarded by requires_stepup, requires_login or requires_token.")
    else:
        click.echo(listing.as_table(rows, default, width=_width()))


@commands.command("hash")
@click.argument("value", metavar="USER_ID")
@click.option("--address", "is_address", is_flag=True, help="The value is a network address.")
@click.pass_context
def hash_of(ctx: click.Context, *, value: str, is_address: bool) -> None:
    """Print what stands for a user in the event log (AUTH0_MFA_EVENT_LOG).

    USER_ID is the sub of the user's ID token, such as 'auth0|6543'. There is one line for each
    key: that of SECRET_KEY first, then those of SECRET_KEY_FALLBACKS, for older lines of the log.
    """
    import ipaddress

    from .eventlog import address_hashes, user_hashes

    if is_address:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not an IP address.") from None
    hashes = address_hashes if is_address else user_hashes
    click.echo("\n".join(hashes(_services(_application(ctx)).sealer, value)))


def _application(ctx: click.Context) -> Flask:
    """Load the application; click shows what it raises when there is none."""
    app = ctx.ensure_object(ScriptInfo).load_app()
    _services(app)
    return app


def _services(app: Flask) -> Services:
    from .services import EXTENSION

    if EXTENSION not in app.extensions:
        raise click.ClickException(
            f"The application {app.name} has no Auth0MFA: call Auth0MFA(app) in it."
        )
    return cast("Services", app.extensions[EXTENSION])


def _typed(what: str) -> str:
    """Return a line that somebody types unseen, or that comes through a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    typed: str = click.prompt(what, hide_input=True, err=True)
    return typed


def _say(text: str) -> None:
    # click strips colours where there is no terminal; the wish of no-color.org is ours to mind.
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


def _width() -> int:
    """Return the width of the terminal; 80 for files and pipes, so that they look the same."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
