"""The example with Pico CSS as its README starts it; its pages are looked at in a browser."""

from __future__ import annotations

import signal

import requests

from .test_examples import program


def test_program():
    """Started as its README says, it prints where to go, and is there, with its own look."""
    with program("examples.pico") as (process, site):
        assert "pico.classless.min.css" in requests.get(site, timeout=10).text
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == "Stopped.\n"
