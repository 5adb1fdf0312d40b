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
  const state = switcher.querySelector("[role=status]");
  const limit = Number(switcher.dataset.limit);
  let after = switcher.dataset.after;
  let source = null;
  let again = 0;

  const clear = (event) => {
    after = event.lastEventId;
    rows.replaceChildren();
  };
  const add = (event) => {
    after = event.lastEventId;
    const fresh = document.createElement("template");
    fresh.innerHTML = event.data;
    const known = new Set([...rows.children].map((row) => row.dataset.call));
    const added = [...fresh.content.children].filter((row) => !known.has(row.dataset.call));
    for (const row of rows.querySelectorAll(".none")) row.remove();
    rows.prepend(...added);
    // A row that someone reads by keyboard stays.
    while (rows.children.length > limit && !rows.lastElementChild.contains(document.activeElement)) {
      rows.lastElementChild.remove();
    }
  };
  const open = () => {
    source = new EventSource(`${switcher.dataset.stream}&after=${encodeURIComponent(after)}`);
    source.addEventListener("open", () => { state.textContent = ""; });
    source.addEventListener("calls", add);
    source.addEventListener("cleared", clear);
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      // The server refuses, or it is restarting.
      state.textContent = "The server does not answer. Reload the page if this stays.";
      close();
      again = setTimeout(follow, 5000);
    });
  };
  const close = () => {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  };
  const follow = () => {
    close();
    // A browser has few connections to a server, so a page that nobody sees keeps none.
    if (box.checked && !document.hidden) open();
  };
  box.addEventListener("change", follow);
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
  follow();
}
