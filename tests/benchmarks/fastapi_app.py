"""The other side of figure 5: the same with FastAPI and Auth0's SDKs; uvicorn runs it.

Set up as the documentation of auth0-fastapi shows. It has no page and no guard; what Auth0MFA
does for ``/transfer`` is written here with the calls of auth0-server-python.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

from auth0_fastapi.auth.auth_client import AuthClient
from auth0_fastapi.config import Auth0Config
from auth0_fastapi.server.routes import register_auth_routes, router
from auth0_server_python.error import MfaRequiredError
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.sessions import SessionMiddleware

PAYMENTS = "https://payments.example.com"
SCOPE = "transfer:funds"

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"])
config = Auth0Config(
    domain=os.environ["AUTH0_DOMAIN"].removeprefix("https://"),
    client_id=os.environ["AUTH0_CLIENT_ID"],
    client_secret=os.environ["AUTH0_CLIENT_SECRET"],
    app_base_url=os.environ["APP_BASE_URL"],
    secret=os.environ["SECRET_KEY"],
    authorization_params={"scope": "openid profile email offline_access"},
)
auth_client = AuthClient(config)
app.state.config = config
app.state.auth_client = auth_client
register_auth_routes(router, config)
app.include_router(router)

SignedIn = Annotated[dict[str, Any], Depends(auth_client.require_session)]


@app.get("/transfer")
async def transfer(request: Request, response: Response, _session: SignedIn) -> Any:
    """Answer when there is a token for payments; else 403 with what a check needs."""
    try:
        token = await auth_client.client.get_access_token(
            store_options={"request": request, "response": response},
            audience=PAYMENTS,
            scope=SCOPE,
        )
    except MfaRequiredError as error:
        body = {"error": "mfa_required", "mfa_token": error.mfa_token}
        return JSONResponse(body, status_code=403)
    return {"length": len(token)}


@app.get("/auth/mfa/authenticators")
async def authenticators(request: Request, response: Response) -> Any:
    """List what the user can prove with."""
    mfa_token = request.headers["Authorization"].removeprefix("Bearer ")
    return await auth_client.client.mfa.list_authenticators(
        {"mfa_token": mfa_token}, store_options={"request": request, "response": response}
    )


@app.post("/auth/mfa/verify")
async def verify(request: Request, response: Response) -> Any:
    """Check the code, and keep the tokens that it brings."""
    body = await request.json()
    await auth_client.client.mfa.verify(
        {"mfa_token": body["mfa_token"], "otp": body["otp"], "persist": True},
        store_options={"request": request, "response": response},
    )
    return {"success": True}
