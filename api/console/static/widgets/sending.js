// A request as it goes over the wire: files as they are, behind the JSON that tells of them.

/**
 * The body of a request and the headers that it needs. Where it holds files, it is of OIP's binary
 * tensor extension: the browser sends them from where they lie, and no thread of the page writes,
 * or reads, twenty megabytes of base64.
 * @param {import("./declaration.js").InferenceRequest} request
 * @param {import("./given_file.js").GivenFile[]} files those that the request may hold
 * @returns {{body: Blob | string, headers: Record<string, string>}}
 */
export function packed(request, files) {
  const blobs = new Map(files.map(({ base64, blob }) => [base64, blob]));
  /** @type {Blob[]} */
  const behind = [];
  const inputs = request.inputs.map((tensor) => {
    const { data, parameters: { content_type, ...parameters } = {}, ...told } = tensor;
    if (content_type !== "base64") return tensor;
    const held = data.flat().map((base64) => blobs.get(base64));
    if (held.includes(undefined)) return tensor;
    const bytes = new Blob(held.flatMap((blob) => (blob ? [sizeOf(blob), blob] : [])));
    behind.push(bytes);
    return { ...told, parameters: { ...parameters, binary_data_size: bytes.size } };
  });
  const json = JSON.stringify({ ...request, inputs });
  if (!behind.length) return { body: json, headers: { "Content-Type": "application/json" } };
  const header = new Blob([json]);
  return {
    body: new Blob([header, ...behind]),
    headers: {
      "Content-Type": "application/octet-stream",
      "Inference-Header-Content-Length": String(header.size),
    },
  };
}

/**
 * How long an element of a BYTES tensor is: four bytes, the lowest first, before its own.
 * @param {Blob} blob
 */
function sizeOf(blob) {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, blob.size, true);
  return bytes.buffer;
}
