"""The benchmark of ``make bench``: what the extension costs, beside what else could be used.

``python -m tests.benchmarks`` measures (about five minutes on a quiet machine) and writes
``docs/performance.rst``; ``BENCH_SMOKE=1`` takes seconds, measures nothing worth knowing, and
leaves out the servers. pytest collects nothing here; ``tests/test_benchmarks.py`` runs the smoke.

=============== ===========================================================================
module          what it does
=============== ===========================================================================
``rounds``      measures things side by side
``content``     the session that is measured
``sessions``    figure 1: open and save it, here and elsewhere
``views``       figures 2 and 3: requests that are not guarded, and that are
``parts``       the parts of a guarded request (pytest-benchmark)
``step_up``     figure 4: a step-up and its bare calls
``load``        figure 5: throughput beside FastAPI and Auth0's SDKs
``growth``      figure 6: more audiences, more checks; the start of an application
``servers``     the processes that are measured
``browser``     who asks them
``flask_app``, ``fastapi_app``  the two applications
``report``      the page and its pictures
=============== ===========================================================================
"""
