// From a task's declaration to the controls of its widget. A control that is not known here, or that
// a package has made up, is one by what its tensor holds.

import { ChatControl } from "./controls/chat.js";
import { JsonControl } from "./controls/json.js";
import { ListControl } from "./controls/list.js";
import { PictureControl } from "./controls/picture.js";
import { PromptsControl } from "./controls/prompts.js";
import { RecordControl } from "./controls/record.js";
import { SeriesControl } from "./controls/series.js";
import { SoundControl } from "./controls/sound.js";
import { TableControl } from "./controls/table.js";
import { TextControl } from "./controls/text.js";

/** @typedef {import("./declaration.js").Input} Input */
/** @typedef {import("./declaration.js").Control} Control */

/** @type {Record<string, new (input: Input) => Control>} */
const KINDS = {
  audio: SoundControl,
  chat: ChatControl,
  image: PictureControl,
  images: PictureControl,
  json: JsonControl,
  labels: ListControl,
  record: RecordControl,
  series: SeriesControl,
  table: TableControl,
  text: TextControl,
  texts: ListControl,
};

/** By what a tensor holds. @type {Record<string, new (input: Input) => Control>} */
const BY_CONTENT = { audio: SoundControl, image: PictureControl, text: TextControl };

/** What is drawn on a picture of the same request. */
const ON_A_PICTURE = ["points", "point-labels", "boxes", "objects", "frames"];

/**
 * @typedef {object} Shown
 * @property {Control} control
 * @property {boolean} aside whether a request is as good without it
 */

/**
 * The controls of a task, in the order of its tensors.
 * @param {import("./declaration.js").Task} task
 * @returns {Shown[]}
 */
export function controlsOf(task) {
  const inputs = task.inputs.map((spec, at) => ({ ...spec, control: task.widget.controls[at] ?? "" }));
  const drawn = inputs.filter((input) => ON_A_PICTURE.includes(input.control));
  const picture = inputs.find((input) => input.content === "image");
  const together = picture && drawn.length ? [picture, ...drawn] : [];
  const needed = inputs.some((input) => !input.optional);
  /** @type {Shown[]} */
  const shown = [];
  for (const input of inputs) {
    if (input === together[0]) shown.push({ control: new PromptsControl(together), aside: false });
    else if (!together.includes(input)) {
      shown.push({ control: controlOf(input), aside: needed && input.optional });
    }
  }
  return shown;
}

/** @param {Input} input */
function controlOf(input) {
  const Kind = KINDS[input.control] ?? BY_CONTENT[input.content] ?? JsonControl;
  return new Kind(input);
}
