"""The metrics examples: a step-up counts, and what the alerts ask for is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from examples.metrics import opentelemetry, prometheus
from flask_auth0_mfa.signals import EVENTS, LoginRefusal, LogoutRefusal

from .observed import ANA, wrong_code
from .visitor import Visitor

ROOT = Path(__file__).parent.parent
ALERTS = yaml.safe_load((ROOT / "examples/metrics/alerts.yml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def walk(app, tenant, clock):
    """Ana types a wrong code, then the right one half a minute later; somebody sends nonsense."""
    ana = Visitor(app)
    ana.log_in(ANA)
    page = ana.challenge_page("/transfer")
    clock.advance(32)
    ana.press(page, "code", code=wrong_code(tenant))
    ana.press(page, "code", code=tenant.current_otp(ANA))
    ana.json("POST", "/auth/mfa/verify", json={"mfa_token": "x", "otp": "000000"})
    ana.json("GET", "/auth/callback?state=x")


class TestPrometheus:
    """The numbers at ``/metrics``."""

    @staticmethod
    def numbers(app):
        """Return the numbers of step-ups as a scrape finds them."""
        text = app.test_client().get("/metrics").text
        lines = re.findall(r"^(auth0_mfa_\S+) (\S+)$", text, re.M)
        return {name: float(value) for name, value in lines if "_created" not in name}

    @pytest.fixture
    def app(self, app):
        """The application with its metrics."""
        prometheus.watch(app)
        return app

    def test_step_up(self, app, tenant, clock):
        """Success, failure, refusal and duration of a walk are in the text."""
        before = self.numbers(app)
        walk(app, tenant, clock)
        after = self.numbers(app)
        risen = {
            name: value - before.get(name, 0)
            for name, value in after.items()
            if value != before.get(name, 0) and not name.startswith("auth0_mfa_duration")
        }
        assert risen == {
            "auth0_mfa_required_total": 1,
            'auth0_mfa_failed_total{method="otp",reason="verification_failed"}': 1,
            'auth0_mfa_verified_total{method="otp"}': 1,
            'auth0_mfa_refused_total{reason="tampered"}': 1,
            "auth0_mfa_logged_in_total": 1,
            'auth0_mfa_login_refused_total{reason="state"}': 1,
        }
        bucket = 'auth0_mfa_duration_seconds_bucket{{le="{}",method="otp"}}'
        rose = [after[bucket.format(le)] - before.get(bucket.format(le), 0) for le in (30.0, 45.0)]
        assert rose == [0, 1]

    def test_bounded(self, app):
        """A method or reason that nobody knows makes no new series."""
        for number in range(3):
            EVENTS["verify_failed"].send(app, method=f"m{number}", reason="r", user_id=f"u{number}")
        found = [name for name in self.numbers(app) if "other" in name]
        assert found == ['auth0_mfa_failed_total{method="other",reason="other"}']
        assert not re.search(r'"[mu]\d"', app.test_client().get("/metrics").text)

    def test_two_processes(self, tmp_path):
        """With the directory set, a scrape of one process has the numbers of the other."""
        script = (
            "import os, flask; from examples.metrics import prometheus as p\n"
            "app = flask.Flask('shop'); p.watch(app)\n"
            "child = os.fork()\n"
            "p.EVENTS['mfa_required'].send(app)\n"
            "if not child: os._exit(0)\n"
            "os.waitpid(child, 0); print(app.test_client().get('/metrics').text)\n"
        )
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "auth0_mfa_required_total 2.0" in done.stdout


class TestOpenTelemetry:
    """The numbers that an exporter gets."""

    def test_step_up(self, app, tenant, clock):
        """Success, failure, refusal and duration of a walk."""
        reader = InMemoryMetricReader()
        opentelemetry.watch(app, MeterProvider([reader]))
        walk(app, tenant, clock)
        EVENTS["verify_failed"].send(app, method="m", reason="r", user_id="u")
        found = {
            (metric.name, *sorted(point.attributes.values())): point
            for resource in reader.get_metrics_data().resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }
        duration = found.pop(("auth0_mfa.duration", "otp"))
        assert (duration.count, duration.bucket_counts[4]) == (1, 1)
        assert {name: point.value for name, point in found.items()} == {
            ("auth0_mfa.mfa_required",): 1,
            ("auth0_mfa.verify_failed", "otp", "verification_failed"): 1,
            ("auth0_mfa.verify_failed", "other", "other"): 1,
            ("auth0_mfa.verified", "otp"): 1,
            ("auth0_mfa.check_refused", "tampered"): 1,
            ("auth0_mfa.logged_in",): 1,
            ("auth0_mfa.login_refused", "state"): 1,
        }


class TestAlerts:
    """The rules, as far as they can be checked without Prometheus."""

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
    def test_rule(self, rule):
        """Each rule is whole, and asks for metrics, labels and values that there are."""
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert all(rule["expr"].count(a) == rule["expr"].count(b) for a, b in ("()", "[]", "{}"))
        known = {f"{one._name}_total": one for one in prometheus.COUNTERS.values()}
        known["auth0_mfa_duration_seconds_bucket"] = prometheus.SECONDS
        asked = re.findall(r"(auth0_mfa_\w+)(?:\{(\w+)!?=~?\"([^\"]+)\"\})?\[", rule["expr"])
        assert asked
        for metric, label, values in asked:
            assert not label or label in known[metric]._labelnames
            assert set(filter(None, values.split("|"))) <= prometheus.KNOWN.get(label, set())

    def test_what_to_do(self):
        """The page for operators has a section for each alert, and no other."""
        page = (ROOT / "docs/operations.rst").read_text("utf-8")
        assert re.findall(r"^(StepUp\w+)\n~+$", page, re.M) == [rule["alert"] for rule in RULES]


def test_same_bounds():
    """Both examples know the same values."""
    assert prometheus.KNOWN == opentelemetry.KNOWN
    assert set(prometheus.COUNTERS) == set(opentelemetry.COUNTED)


@pytest.mark.parametrize("refusal", [LoginRefusal, LogoutRefusal], ids=["login", "logout"])
def test_reasons(refusal):
    """No reason for which a login or logout is refused is counted as another."""
    assert set(get_args(refusal)) <= prometheus.KNOWN["reason"]
