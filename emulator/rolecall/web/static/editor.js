// Completes actions and condition keys while somebody writes a policy. The server knows the words.
"use strict";

const field = document.getElementById("document");
const list = document.getElementById("words");
let asked = 0;

// The text between the last quotation mark of the line and the place of writing.
function started() {
  const line = field.value.slice(0, field.selectionStart).split("\n").pop();
  const parts = line.split('"');
  return parts.length % 2 === 0 ? parts.pop() : "";
}

function close() {
  list.hidden = true;
  list.replaceChildren();
}

function take(word) {
  const at = field.selectionStart;
  field.setRangeText(word, at - started().length, at, "end");
  close();
  field.focus();
  if (word.endsWith(":")) complete();
}

function show(words) {
  list.replaceChildren(...words.map((word, at) => {
    const option = document.createElement("li");
    option.textContent = word;
    option.setAttribute("role", "option");
    option.tabIndex = at ? -1 : 0;
    option.addEventListener("click", () => take(word));
    return option;
  }));
  list.hidden = words.length === 0;
}

async function complete() {
  const start = started();
  const turn = ++asked;
  if (start.length < 2) return close();
  try {
    const answer = await fetch(`${field.dataset.words}?start=${encodeURIComponent(start)}`);
    const { words } = await answer.json();
    // A later letter has its own answer.
    if (turn === asked) show(words.filter((word) => word !== start));
  } catch {
    close();
  }
}

if (field && list) {
  document.getElementById("words-hint").hidden = false;
  field.addEventListener("input", complete);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "ArrowDown" && !list.hidden) {
      event.preventDefault();
      list.firstElementChild.focus();
    }
  });
  list.addEventListener("keydown", (event) => {
    const option = document.activeElement;
    if (event.key === "Enter" || event.key === " ") take(option.textContent);
    else if (event.key === "Escape") { close(); field.focus(); }
    else if (event.key === "ArrowDown") (option.nextElementSibling ?? option).focus();
    else if (event.key === "ArrowUp") (option.previousElementSibling ?? field).focus();
    else return;
    event.preventDefault();
  });
}
