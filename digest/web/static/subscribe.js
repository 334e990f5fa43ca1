// What the subscribe form does better with a script: it guesses the time zone, and says while one
// chooses how many papers a day would match. Everything works without it.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const field of document.querySelectorAll("[data-zone]")) {
    const known = field.tagName !== "SELECT" || [...field.options].some((o) => o.value === zone);
    if (zone && known && !field.dataset.zone) field.value = zone;
  }
  const form = document.querySelector("form[data-live]");
  const text = form && form.querySelector("[data-live-text]");
  if (!text) return;
  let timer, asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.delete("email");
    try {
      const answer = await fetch(form.dataset.live, { method: "POST", body: fields });
      const found = answer.ok ? await answer.json() : { sentence: "" };
      if (mine === asked) text.textContent = found.sentence;
    } catch {
      text.textContent = "";
    }
  };
  form.addEventListener("input", (event) => {
    if (event.target.name === "email") return;
    clearTimeout(timer);
    timer = setTimeout(ask, 400);
  });
})();
