// One scenario of Auth0's SDK for JavaScript against the local tenant: node sdk_node.mjs SCENARIO URL
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { AuthClient, isMfaRequiredError } from "@auth0/auth0-auth-js";

// Debian 12 has Node 18, where this global of browsers and later versions is missing.
globalThis.crypto ??= webcrypto;

const [scenario, url] = process.argv.slice(2);
const CALLBACK = "http://localhost:5000/auth/callback";
const ACCOUNTS = "https://accounts.example.com";
const PAYMENTS = "https://payments.example.com";
const ADMIN = "https://admin.example.com";

const client = new AuthClient({
  domain: url.replace("https://", ""),
  clientId: "demo-client",
  clientSecret: "demo-secret",
  authorizationParams: {
    redirect_uri: CALLBACK,
    scope: "openid profile email offline_access",
  },
});

async function state() {
  const answer = await fetch(`${url}/_emulator/state`);
  return answer.json();
}

async function user(email) {
  return (await state()).users.find((entry) => entry.email === email);
}

async function lastMessage(email) {
  return (await state()).messages.filter((message) => message.user === email).at(-1);
}

async function decide(decision) {
  const push = (await state()).pushes.at(-1);
  const answer = await fetch(`${url}/_emulator/pushes/${push.id}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ decision }),
  });
  assert.equal(answer.status, 200);
}

async function advance(seconds) {
  await fetch(`${url}/_emulator/clock`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ advance: seconds }),
  });
}

// The browser: two requests are all that a login takes.
async function logIn(email) {
  const { authorizationUrl, codeVerifier } = await client.buildAuthorizationUrl();
  const begun = await fetch(authorizationUrl, { redirect: "manual" });
  const login = new URL(begun.headers.get("location"), url);
  const submitted = await fetch(`${url}/u/login`, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({
      state: login.searchParams.get("state"),
      username: email,
      password: "demo",
    }),
  });
  return client.getTokenByCode(new URL(submitted.headers.get("location")), { codeVerifier });
}

async function stepUp(email, audience = PAYMENTS) {
  const { refreshToken } = await logIn(email);
  try {
    await client.getTokenByRefreshToken({ refreshToken, audience });
  } catch (error) {
    assert.ok(isMfaRequiredError(error), String(error));
    return { mfaToken: error.cause.mfa_token, requirements: error.cause.mfa_requirements };
  }
  assert.fail("the refresh was not refused");
}

function check(tokens, audience = PAYMENTS) {
  const payload = tokens.accessToken.split(".")[1];
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  assert.ok(claims.aud.includes(audience));
}

async function challengeOf(mfaToken, channel) {
  const authenticators = await client.mfa.listAuthenticators({ mfaToken });
  const chosen = authenticators.find((entry) => entry.oobChannels?.includes(channel));
  return client.mfa.challengeAuthenticator({
    mfaToken,
    challengeType: "oob",
    authenticatorId: chosen.id,
  });
}

const scenarios = {
  async login() {
    const tokens = await logIn("ana@example.com");
    assert.equal(tokens.claims.email, "ana@example.com");
    check(
      await client.getTokenByRefreshToken({
        refreshToken: tokens.refreshToken,
        audience: ACCOUNTS,
      }),
      ACCOUNTS,
    );
  },

  async otp() {
    const { mfaToken, requirements } = await stepUp("ana@example.com");
    assert.equal(requirements.challenge[0].type, "otp");
    const challenge = await client.mfa.challengeAuthenticator({ mfaToken, challengeType: "otp" });
    assert.equal(challenge.challengeType, "otp");
    await assert.rejects(
      client.mfa.verify({ mfaToken, factorType: "otp", otp: "000000x" }),
      /Invalid otp_code\./,
    );
    const { otp } = await user("ana@example.com");
    check(await client.mfa.verify({ mfaToken, factorType: "otp", otp }));
  },

  async sms() {
    const { mfaToken } = await stepUp("ana@example.com");
    const challenge = await challengeOf(mfaToken, "sms");
    assert.equal(challenge.bindingMethod, "prompt");
    const { code } = await lastMessage("ana@example.com");
    check(
      await client.mfa.verify({
        mfaToken,
        factorType: "oob",
        oobCode: challenge.oobCode,
        bindingCode: code,
      }),
    );
  },

  async push() {
    const { mfaToken } = await stepUp("dan@example.com");
    const { oobCode } = await challengeOf(mfaToken, "auth0");
    const poll = { mfaToken, factorType: "oob", oobCode };
    await assert.rejects(client.mfa.verify(poll), (error) => {
      assert.equal(error.cause.error, "authorization_pending");
      return true;
    });
    await advance(5);
    await decide("approve");
    check(await client.mfa.verify(poll));
  },

  async rejectedPush() {
    const { mfaToken } = await stepUp("dan@example.com");
    const { oobCode } = await challengeOf(mfaToken, "auth0");
    await decide("reject");
    await assert.rejects(
      client.mfa.verify({ mfaToken, factorType: "oob", oobCode }),
      /MFA Authorization rejected\./,
    );
  },

  async recoveryCode() {
    const { mfaToken } = await stepUp("ana@example.com");
    const before = (await user("ana@example.com")).recovery_code;
    const tokens = await client.mfa.verify({
      mfaToken,
      factorType: "recovery-code",
      recoveryCode: before,
    });
    check(tokens);
    assert.equal(tokens.recoveryCode, (await user("ana@example.com")).recovery_code);
    assert.notEqual(tokens.recoveryCode, before);
  },

  async enrollOtp() {
    const { mfaToken, requirements } = await stepUp("ben@example.com");
    assert.ok(requirements.enroll.length > 0);
    const enrolled = await client.mfa.enrollAuthenticator({
      mfaToken,
      authenticatorTypes: ["otp"],
    });
    assert.ok(enrolled.barcodeUri.includes(enrolled.secret));
    assert.equal(enrolled.recoveryCodes.length, 1);
    const { otp } = await user("ben@example.com");
    check(await client.mfa.verify({ mfaToken, factorType: "otp", otp }));
  },

  async enrollSms() {
    const { mfaToken } = await stepUp("ben@example.com");
    const enrolled = await client.mfa.enrollAuthenticator({
      mfaToken,
      authenticatorTypes: ["oob"],
      oobChannels: ["sms"],
      phoneNumber: "+15550100010",
    });
    const { code } = await lastMessage("ben@example.com");
    check(
      await client.mfa.verify({
        mfaToken,
        factorType: "oob",
        oobCode: enrolled.oobCode,
        bindingCode: code,
      }),
    );
  },

  async enrollEmail() {
    const { mfaToken } = await stepUp("ben@example.com");
    const enrolled = await client.mfa.enrollAuthenticator({
      mfaToken,
      authenticatorTypes: ["email"],
    });
    const { code } = await lastMessage("ben@example.com");
    check(
      await client.mfa.verify({
        mfaToken,
        factorType: "oob",
        oobCode: enrolled.oobCode,
        bindingCode: code,
      }),
    );
  },

  async removal() {
    const { mfaToken } = await stepUp("cleo@example.com");
    const [authenticator] = await client.mfa.listAuthenticators({ mfaToken });
    await client.mfa.deleteAuthenticator({ mfaToken, authenticatorId: authenticator.id });
    assert.deepEqual(await client.mfa.listAuthenticators({ mfaToken }), []);
  },

  async revocation() {
    const { refreshToken } = await logIn("ana@example.com");
    await client.revokeToken({ token: refreshToken });
    await assert.rejects(client.getTokenByRefreshToken({ refreshToken }), (error) => {
      assert.equal(error.cause.error_description, "Unknown or invalid refresh token.");
      return true;
    });
  },

  async chain() {
    const { mfaToken } = await stepUp("ana@example.com", ADMIN);
    const { otp } = await user("ana@example.com");
    await assert.rejects(client.mfa.verify({ mfaToken, factorType: "otp", otp }), (error) => {
      assert.equal(error.cause.error, "mfa_required");
      return true;
    });
  },
};

await scenarios[scenario]();
