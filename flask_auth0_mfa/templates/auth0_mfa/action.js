/**
 * Asks for a second factor when an access token for one of these APIs is
 * refreshed. Written by `flask auth0-mfa action` from the application's guards.
 *
 * Where it goes: Actions > Library > Create Action > Build from scratch, trigger
 * "Login / Post Login"; paste, Deploy, and drag it into Actions > Triggers >
 * post-login.
 *
 * What it needs: Security > Multi-factor Auth > the factors below switched on,
 * "Require Multi-factor Auth" Never or Adaptive, and "Customize MFA Factors using
 * Actions" on. For refreshes, Auth0's support has to enable that (Early Access).
 */

// Identifiers of the guarded APIs, as in Applications > APIs, byte for byte.
const GUARDED = $audiences;

// What a user without any factor may enroll.
const ENROLLABLE = $enroll;

// What can be asked for. Others that a user has enrolled are left out.
const CHALLENGEABLE = [
  "otp",
  "push-notification",
  "phone",
  "email",
  "recovery-code",
  "webauthn-roaming",
  "webauthn-platform",
];

exports.onExecutePostLogin = async (event, api) => {
  // Another API, or none: its tokens are refreshed without anybody's help.
  if (!GUARDED.includes(event.resource_server?.identifier)) return;

  // The Action runs at logins, too. Here only the refresh of a token counts: that
  // is what `requires_stepup` does when it wants a second factor.
  const isRefresh = event.transaction?.protocol === "oauth2-refresh-token";

$at_login
  if (!isRefresh && !isAskedFor) return;

  // Any factor that the user has will do. Auth0 answers the refresh with
  // mfa_required and lists them in mfa_requirements.challenge.
  const enrolled = (event.user.enrolledFactors ?? []).map(({ type }) => type);
  const usable = CHALLENGEABLE.filter((type) => enrolled.includes(type));
  if (usable.length > 0) {
    api.authentication.challengeWithAny(usable.map((type) => ({ type })));
    return;
  }

  // The user has a factor that nobody here knows. Enrolling another one without a
  // proof of it would let a stolen password in.
  if (enrolled.length > 0) {
    api.access.deny("None of your second factors can be used here.");
    return;
  }

  // The first factor (mfa_requirements.enroll).
  api.authentication.enrollWithAny(ENROLLABLE.map((type) => ({ type })));
};
