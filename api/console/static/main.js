// The console's start: which page the address names, drawn again whenever something changed.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { dialogLayer } from "./lib/dialog.js";
import { settle } from "./lib/lifetime.js";
import { onChange } from "./lib/redraw.js";
import { route } from "./lib/router.js";
import { keepAsking } from "./lib/session.js";
import { toastLayer } from "./lib/toast.js";
import { frame } from "./frame.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

function draw() {
  try {
    render(html`${frame(route())}${dialogLayer()}${toastLayer()}`, root);
  } finally {
    settle();
  }
}

let shown = location.hash;

/** Another page starts at its top, and is read from there; another filter changes nothing. */
function turned() {
  const [before, after] = [shown, location.hash].map((hash) => hash.split("?")[0]);
  shown = location.hash;
  draw();
  if (before === after) return;
  scrollTo(0, 0);
  document.querySelector("main")?.focus({ preventScroll: true });
}

addEventListener("hashchange", turned);
onChange(draw);
draw();
void keepAsking();
