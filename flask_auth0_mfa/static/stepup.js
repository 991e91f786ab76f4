/* Step-up for fetch: a 403 "mfa_required" becomes the second check, then the request is sent again.
 *
 *   <script type="module">
 *     import { stepUpFetch } from "/auth/mfa/static/stepup.js";
 *     const response = await stepUpFetch("/api/balance");
 *
 * As it stands, the browser goes to the challenge page and comes back to this page, which then asks
 * again as it did before. With an application's own form the page is not left:
 *
 *   const response = await stepUpFetch("/api/transfer", { method: "POST", body }, { prompt });
 *
 * prompt({ challenge, message, error, attemptsLeft, challengeUrl }) shows the form and resolves to
 * the code, or to null to cancel; then the 403 is returned. It is called again after a wrong code,
 * with error ("verification_failed", …), message (a sentence) and attemptsLeft. challenge is
 * { challenge_type: "otp" } for an authenticator app, { challenge_type: "oob", … } for a message.
 * challengeUrl is for a link "Use another method". What no form can do (an approval on the phone, a
 * first method to add) is done on the challenge page.
 *
 * Other answers are returned as they are: 401 login_required, 429 rate_limited, 503. The module
 * talks to its own origin only, which the session cookie needs anyway.
 */

const json = (answer) => answer.clone().json().catch(() => ({}));

/* One check at a time, and none that was passed since, however many requests are refused. */
let running = null;
let passedAt = 0;

/* Never resolves while the browser is leaving; with "response" if the user comes back by Back. */
const leaveFor = (url, response) => {
  location.assign(url);
  return new Promise((resolve) => {
    addEventListener("pageshow", () => resolve(response), { once: true });
  });
};

/* Resolves to nothing once the request may be sent again, else to what to return in its place. */
const prove = async (refusal, response, prompt) => {
  const page = new URL(refusal.challenge_url, location);
  const post = (route, fields) => fetch(new URL(route, page), {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify({ mfa_token: refusal.mfa_token, ...fields }),
  });
  const started = await post("challenge");
  const challenge = await json(started);
  if (started.status >= 429) return started;
  const hasCode = challenge.challenge_type === "otp" || challenge.binding_method === "prompt";
  if (!hasCode) return leaveFor(page, response);
  let told = {};
  for (;;) {
    const code = await prompt({ challenge, challengeUrl: page.href, ...told });
    if (code == null) return response;
    const answer = await post("verify", { code });
    const { error, message, attempts_left: attemptsLeft, ...more } = await json(answer);
    if (answer.ok || answer.status === 404 || error === "mfa_token_expired") return undefined;
    if (error === "mfa_required") return prove(more, response, prompt);
    if (answer.status !== 400) return answer;
    told = { error, message, attemptsLeft: attemptsLeft ?? told.attemptsLeft };
  }
};

export const stepUpFetch = async (input, init, { prompt } = {}) => {
  const request = new Request(input, init);
  if (!request.headers.has("Accept")) request.headers.set("Accept", "application/json");
  for (;;) {
    const sentAt = performance.now();
    const response = await fetch(request.clone());
    const refusal = response.status === 403 ? await json(response) : {};
    const url = refusal.challenge_url || refusal.login_url;
    if (!url || new URL(url, location).origin !== location.origin) return response;
    if (!prompt || !refusal.mfa_token) return leaveFor(url, response);
    if (passedAt > sentAt) continue;
    running ??= prove(refusal, response, prompt).finally(() => { running = null; });
    const instead = await running;
    if (instead) return instead.clone();
    passedAt = performance.now();
  }
};
