// Copying, and a list that follows. Every page can be read without this.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser does not allow copying";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

const rows = document.getElementById("live");
const switcher = document.getElementById("live-switch");
if (rows && switcher) {
  switcher.hidden = false;
  const box = switcher.querySelector("input");
  const follow = async () => {
    // A list that someone reads by keyboard stays: a new one would take the focus away.
    if (box.checked && !document.hidden && !rows.contains(document.activeElement)) {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.getElementById("live");
          if (fresh && fresh.innerHTML !== rows.innerHTML) rows.replaceChildren(...fresh.childNodes);
        }
      } catch {
        // The server may be restarting. The next turn tries again.
      }
    }
    setTimeout(follow, 2000);
  };
  setTimeout(follow, 2000);
}
