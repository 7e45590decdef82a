// The console's start: which page the address names, drawn again whenever something changed.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { route } from "./lib/router.js";
import { onChange } from "./lib/redraw.js";
import { frame } from "./frame.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

function draw() {
  render(html`${frame(route())}`, root);
}

addEventListener("hashchange", draw);
onChange(draw);
draw();
