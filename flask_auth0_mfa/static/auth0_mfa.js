/* Small improvements; every page works without this file. Texts come from data attributes. */
(() => {
  "use strict";

  const STILL_WAITING_MS = 30000;
  const MAX_FAILURES = 3;
  /* Longer than the server takes for any answer. */
  const NO_ANSWER_MS = 15000;

  const announce = (text = "") => {
    document.querySelector("[role=status]").textContent = text;
  };

  /* A double click must not spend a code twice. The back-forward cache brings a page back
     with its buttons as they were left, hence pageshow; and nobody is told that a person has
     stopped the loading, hence the wait. A form for the application is left to it. */
  const sent = new Set();
  const release = () => {
    for (const button of sent) button.disabled = false;
    sent.clear();
  };
  document.addEventListener("submit", ({ target }) => {
    for (const button of target.querySelectorAll("button")) {
      button.disabled = true;
      sent.add(button);
    }
    if (!("once" in target.dataset)) setTimeout(release, NO_ANSWER_MS);
  });
  window.addEventListener("pageshow", release);

  /* Reload and back must not send a code again. */
  const page = document.querySelector("[data-page]");
  if (page) history.replaceState(null, "", page.dataset.page);

  /* In the page's language; an application's own frame may not say which, or not as it should. */
  const shortTime = (date) => {
    const format = { timeStyle: "short" };
    try {
      return date.toLocaleTimeString(document.documentElement.lang, format);
    } catch {
      return date.toLocaleTimeString(undefined, format);
    }
  };

  /* The server does not know the clock on the reader's wall. */
  for (const hint of document.querySelectorAll("[data-until]")) {
    const end = new Date(Date.now() + Number(hint.dataset.left) * 1000);
    const time = shortTime(end);
    hint.textContent = hint.dataset.until.replace("{time}", time);
  }

  /* The server refuses to send too soon, too. */
  for (const hint of document.querySelectorAll("[data-wait]")) {
    const button = hint.parentElement.querySelector("button");
    button.disabled = true;
    setTimeout(() => {
      button.disabled = false;
      hint.hidden = true;
    }, Number(hint.dataset.wait) * 1000);
  }

  /* Where the browser refuses, the code is selected, so that a person can copy it. */
  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      announce(button.dataset.copied);
    } catch {
      getSelection().selectAllChildren(document.querySelector(".mfa-code"));
      announce(button.dataset.refused);
    }
  };
  if (navigator.clipboard) {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    }
  }

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  /* Ask whether the request was approved on the phone, at the pace the server sets. */
  const poll = (form) => {
    let interval = Number(form.dataset.interval);
    let failures = 0;
    let timer = 0;
    let asking = false;
    let stopped = false;

    const schedule = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, interval * 1000);
    };

    const follow = async (answer) => {
      if (answer.status === 429 || answer.status >= 500) throw new Error("later");
      if (answer.status === 202) {
        /* What was said of the network is not true any more. */
        if (failures >= MAX_FAILURES) announce();
        interval = Number((await answer.json()).interval) || interval;
        return schedule();
      }
      stopped = true;
      if (answer.ok) announce(form.dataset.approved);
      const to = await answer.json().catch(() => ({}));
      /* To the target, the next check, or login; never off the site. */
      const path = to.redirect_to || to.challenge_url || to.login_url;
      if (!path || new URL(path, location).origin !== location.origin) return location.reload();
      return location.replace(path);
    };

    const ask = async () => {
      if (stopped || asking || document.hidden) return;
      /* The button asks just now. */
      if (sent.size) return schedule();
      asking = true;
      try {
        await follow(await fetch(form.action, {
          method: "POST",
          headers: { Accept: "application/json" },
          body: new URLSearchParams(new FormData(form)),
          redirect: "manual",
        }));
        failures = 0;
      } catch {
        failures += 1;
        if (failures < MAX_FAILURES) schedule();
        else announce(form.dataset.offline);
      } finally {
        asking = false;
      }
    };

    /* People come back from the app on the same phone: ask at once, pause while away. */
    document.addEventListener("visibilitychange", ask);
    window.addEventListener("online", ask);
    window.addEventListener("pageshow", ({ persisted }) => {
      if (persisted) {
        stopped = false;
        ask();
      }
    });
    setTimeout(() => {
      const hints = document.getElementById("still-waiting");
      if (stopped || !hints.hidden) return;
      hints.hidden = false;
      announce(form.dataset.stillWaiting);
    }, STILL_WAITING_MS);
    document.querySelector(".mfa-waiting").hidden = false;
    schedule();
  };
  for (const form of document.querySelectorAll("[data-poll]")) poll(form);
})();
