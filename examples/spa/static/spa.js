// Everything that a front end has to do for the second check. stepup.js comes with the package.
import { stepUpFetch } from "/auth/mfa/static/stepup.js";

const find = (id) => document.getElementById(id);
const result = find("result");

// Where the page left off for the challenge page, it goes on when the user is back.
const BALANCE = "show-balance";

const show = async (response, text) => {
  const answer = await response.json();
  result.textContent = response.ok ? text(answer) : answer.message;
};

// By the challenge page: the browser leaves this page, and comes back to it.
const showBalance = async () => {
  sessionStorage.setItem(BALANCE, "1");
  const response = await stepUpFetch("/api/balance");
  sessionStorage.removeItem(BALANCE);
  await show(response, ({ balance, currency }) => `Your balance: ${balance} ${currency}`);
};
find("show").addEventListener("click", showBalance);
if (sessionStorage.getItem(BALANCE)) {
  // Once: whoever comes back without having passed the check is not sent there again.
  sessionStorage.removeItem(BALANCE);
  const response = await fetch("/api/balance", { headers: { Accept: "application/json" } });
  await show(response, ({ balance, currency }) => `Your balance: ${balance} ${currency}`);
}

// By a dialog of this page: it resolves to the code, or to null when the user cancels.
const prompt = ({ challenge, message, attemptsLeft, challengeUrl }) => new Promise((resolve) => {
  const dialog = find("check");
  const tries = attemptsLeft === undefined ? "" : ` Tries left: ${attemptsLeft}.`;
  find("check-problem").textContent = message ? message + tries : "";
  find("check-hint").textContent = challenge.challenge_type === "otp"
    ? "Open your authenticator app and enter the code that it shows."
    : "Enter the code from the message that we sent you.";
  find("other").href = challengeUrl;
  find("code").value = "";
  dialog.returnValue = "";
  dialog.addEventListener("close", () => {
    resolve(dialog.returnValue === "continue" ? find("code").value : null);
  }, { once: true });
  dialog.showModal();
  find("code").focus();
});
find("send").addEventListener("click", async () => {
  const order = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ payee: "Ben", amount: "10.00" }),
  };
  const response = await stepUpFetch("/api/transfer", order, { prompt });
  await show(response, ({ payee, amount }) => `${amount} EUR sent to ${payee}`);
});
