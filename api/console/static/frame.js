// What stands around every page: the way between them.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { until } from "./vendor/lit-html/directives/until.js";
import { redraw } from "./lib/redraw.js";
import { caller } from "./lib/session.js";
import { themeChoice } from "./lib/theme.js";

/**
 * @typedef {import("./lib/router.js").Route} Route
 * @typedef {(route: Route) => unknown} Draw
 * @typedef {object} Page
 * @property {string} [title] what the way to it is called; none leads to a page without
 * @property {string} [of] the page that it belongs to, where it has no way of its own
 * @property {() => Promise<Draw>} load brings its files, when it is first shown
 */

/** @type {Record<string, Page>} by the first part of the address; one line a page */
const PAGES = {
  models: { title: "Models", load: models },
  jobs: { title: "Jobs", load: async () => (await import("./pages/jobs.js")).jobs },
  dead: { load: async () => (await import("./pages/dead.js")).dead }, // the way there is on Jobs
  fleet: { title: "Fleet", load: async () => (await import("./pages/fleet.js")).fleet },
  runs: { title: "Data sets", load: runs },
  batches: { of: "runs", load: batches }, // their list is a part of that page
  access: { load: async () => (await import("./pages/access.js")).access },
  answers: { load: async () => (await import("./pages/answers.js")).answers }, // of examples: no way leads there
};

/** The list of models, or one of them. @returns {Promise<Draw>} */
async function models() {
  const [list, one] = await Promise.all([import("./pages/models.js"), import("./pages/model.js")]);
  return (route) => (route.rest.length ? one.model(route) : list.models(route));
}

/** The runs and batches, a run, or a new one. @returns {Promise<Draw>} */
async function runs() {
  const [list, one, fresh] = await Promise.all([
    import("./pages/runs.js"),
    import("./pages/run.js"),
    import("./pages/run_new.js"),
  ]);
  return (route) => {
    if (!route.rest.length) return list.runs();
    return route.rest[0] === "new" ? fresh.newRun(route) : one.run(route);
  };
}

/** The page that lists batches, too, or one of them. @returns {Promise<Draw>} */
async function batches() {
  const [list, one] = await Promise.all([import("./pages/runs.js"), import("./pages/batch.js")]);
  return (route) => (route.rest.length ? one.batch(route) : list.runs());
}

/** @type {Map<string, Promise<Draw>>} */
const loading = new Map();

/** @type {Map<string, Draw>} */
const loaded = new Map();

/** @param {Route} route */
export function frame(route) {
  const name = route.page || "models";
  document.title = `${[pageOf(name)?.title, ...route.rest].filter(Boolean).join(" · ")} · Wherry`;
  return html`
    <header class="top">
      <a class="skip" href=${location.hash || "#/models"} @click=${skip}>Skip to the page</a>
      <a class="brand" href="#/models"><img src="icon.svg" alt="" width="24" height="24">Wherry</a>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(([key, page]) => way(key, page, name))}
      </nav>
      <div class="tools">${account(name)}${themeChoice()}</div>
    </header>
    <main id="main" tabindex="-1">${drawn(name, route)}</main>
  `;
}

/**
 * The way to who one is here.
 * @param {string} shown
 */
function account(shown) {
  const who = caller();
  const name = !who ? "Sign in" : who.keys_needed ? (who.tenant ?? "admin") : "Access";
  return html`<a href="#/access" aria-current=${shown === "access" ? "page" : nothing}>${name}</a>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.querySelector("main")?.focus();
}

/**
 * @param {string} key
 * @param {Page} page
 * @param {string} shown
 */
function way(key, page, shown) {
  if (!page.title) return nothing;
  const here = key === shown || key === pageOf(shown)?.of;
  return html`<a href="#/${key}" aria-current=${here ? "page" : nothing}>${page.title}</a>`;
}

/**
 * @param {string} name
 * @param {Route} route
 */
function drawn(name, route) {
  const page = pageOf(name);
  if (!page) return html`<h1>No such page</h1><p>There is no page “${name}” here. <a href="#/models">See the models.</a></p>`;
  const draw = loaded.get(name);
  if (draw) return whole(draw, route);
  if (!loading.has(name)) loading.set(name, bring(name, page));
  return until(loading.get(name)?.then(() => nothing, unreadable), html`<p class="muted">Loading…</p>`);
}

/** @param {string} name */
function pageOf(name) {
  return Object.hasOwn(PAGES, name) ? PAGES[name] : undefined;
}

/**
 * A page that cannot be drawn must not take the way to the others with it.
 * @param {Draw} draw
 * @param {Route} route
 */
function whole(draw, route) {
  try {
    return draw(route);
  } catch (error) {
    console.error(error);
    return html`<h1>This page cannot be drawn</h1>
      <p class="notice bad" role="alert">${String(error)}</p>
      <p><a href=${`#/${route.page}`}>Show it without what the address asks for.</a></p>`;
  }
}

/**
 * @param {string} name
 * @param {Page} page
 */
async function bring(name, page) {
  const draw = await page.load();
  loaded.set(name, draw);
  redraw();
  return draw;
}

/** @param {Error} error */
function unreadable(error) {
  return html`<div class="notice bad" role="alert">
    <p>This page's files cannot be read: ${error.message}</p>
    <button type="button" @click=${() => location.reload()}>Load again</button>
  </div>`;
}
