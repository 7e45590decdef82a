// Files that were dropped or chosen, with the folders that they lie in.

/**
 * @typedef {object} Dropped
 * @property {string} name with the folders before it: "train/cat/1.png"
 * @property {File} file
 */

/** Files that nobody means: of the machine itself, or hidden. */
const HIDDEN = /(^|\/)(\.|Thumbs\.db$|desktop\.ini$|__MACOSX\/)/;

/**
 * Those that were chosen: a folder's have their way in it.
 * @param {Iterable<File>} files
 * @returns {Dropped[]}
 */
export function chosen(files) {
  return meant([...files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
}

/**
 * Those that were dropped, folders gone through.
 * @param {DataTransfer} data
 * @returns {Promise<Dropped[]>}
 */
export async function dropped(data) {
  // All at once: the browser lets go of them when the event is over.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (!entries.length) return chosen(data.files);
  const found = await Promise.all(entries.map(below));
  return meant(found.flat());
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<Dropped[]>}
 */
async function below(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    return [{ name: entry.fullPath.replace(/^\//, ""), file: /** @type {File} */ (file) }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {Dropped[]} */
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return found;
    for (const each of some) found.push(...(await below(each)));
  }
}

/** @param {Dropped[]} files */
function meant(files) {
  return files.filter(({ name }) => !HIDDEN.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}
