// The parts that a run is cut into: who does which, asked when they are looked at.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { badge } from "../lib/badge.js";
import { duration, number } from "../lib/format.js";
import { again, whileShown } from "../lib/lifetime.js";
import { liveRun } from "../lib/live_run.js";
import { redraw } from "../lib/redraw.js";
import { isOver, pathOf } from "../lib/runs.js";
import { Source } from "../lib/source.js";
import { table } from "../lib/table.js";

/** @typedef {import("../lib/runs.js").Run} Run */

/** Shards shown at most. */
const MOST = 200;

let open = "";

/** @type {Source<any[]>} */
const told = new Source(
  () => ({ path: pathOf(open, "/shards") }),
  (body) => body.shards,
);

/** @param {Run} run */
export function shards(run) {
  if (!run.shards?.total) return nothing;
  const isOpen = open === run.id;
  if (isOpen) {
    whileShown(`shards ${run.id}`, (signal) =>
      again(signal, 3, async () => {
        if (!told.value || !isOver(liveRun(run.id).run ?? run)) await told.refresh(signal);
      }),
    );
  }
  const toggled = (/** @type {Event} */ event) => {
    const now = /** @type {HTMLDetailsElement} */ (event.target).open ? run.id : "";
    if (now === open) return;
    open = now;
    told.forget();
    redraw();
  };
  return html`<details ?open=${isOpen} @toggle=${toggled}>
    <summary>${number(run.shards.done)} of ${number(run.shards.total)} shards done${run.shards.running ? `, ${number(run.shards.running)} running` : ""}</summary>
    ${isOpen && told.value ? listed(told.value) : nothing}
  </details>`;
}

/** @param {any[]} all */
function listed(all) {
  return html`${table({
      caption: "Shards",
      rows: all.slice(0, MOST),
      key: (shard) => shard.number,
      columns: [
        { title: "Shard", numeric: true, head: true, cell: (shard) => number(shard.number) },
        { title: "State", cell: (shard) => badge(shard.state) },
        { title: "Rows", numeric: true, cell: (shard) => number(shard.rows ?? Number.NaN) },
        { title: "Done", numeric: true, cell: (shard) => number(shard.done ?? Number.NaN) },
        { title: "Failed", numeric: true, cell: (shard) => number(shard.failed ?? 0) },
        { title: "Device time", numeric: true, cell: (shard) => duration(shard.device_seconds) },
        { title: "Worker", cell: (shard) => html`<span class="mono">${shard.worker ?? ""}</span>` },
      ],
    })}
    ${all.length > MOST ? html`<p class="muted">The first ${number(MOST)} of ${number(all.length)}.</p>` : nothing}`;
}
