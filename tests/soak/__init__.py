"""The soak: the bank under gunicorn, Redis and a tenant, many users, and everything going wrong.

``python -m tests.soak`` runs it; ``SOAK_SECONDS`` (300), ``SOAK_USERS`` (50) and ``SOAK_SEED`` (1)
change it. Nothing here is collected by pytest; ``tests/test_soak.py`` runs it for a moment.

=========== ======================================================================
module      what it does
=========== ======================================================================
``servers`` starts, kills and starts again: tenant, Redis, gunicorn
``tenant``  the tenant's process, with the view of it that only the soak has
``browser`` one user's browser: cookies, redirects, forms, and what it must never see
``customer`` one user: everything a user may do, at random
``mischief`` what goes wrong meanwhile
``record``  what has happened, and what must not
=========== ======================================================================
"""
