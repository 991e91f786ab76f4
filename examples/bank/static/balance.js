// What a front end does with a guarded JSON API: ask, and when the answer is `mfa_required`,
// go to the page that the answer names. The user comes back here and asks again.
const link = document.getElementById("ask-balance");
const output = document.getElementById("balance");

link.addEventListener("click", async (event) => {
  event.preventDefault();
  const response = await fetch(link.href, { headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (response.ok) {
    output.textContent = `All your accounts together: ${answer.balance} ${answer.currency}`;
  } else if (answer.error === "mfa_required") {
    location.assign(answer.challenge_url);
  } else {
    output.textContent = answer.error_description;
  }
});
