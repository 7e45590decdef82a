// What stands around every page: the way between them.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { models } from "./pages/models.js";

/** @type {Record<string, {title: string, draw: (route: import("./lib/router.js").Route) => unknown}>} */
const PAGES = {
  models: { title: "Models", draw: models },
};

/** @param {import("./lib/router.js").Route} route */
export function frame(route) {
  const name = route.page || "models";
  const page = PAGES[name];
  return html`
    <header>
      <a href="#/models">Wherry</a>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(
          ([key, { title }]) =>
            html`<a href="#/${key}" aria-current=${key === name ? "page" : nothing}>${title}</a>`,
        )}
      </nav>
    </header>
    <main>${page ? page.draw(route) : html`<p>There is no page “${name}”.</p>`}</main>
  `;
}
