// Messages of the Open Inference Protocol, version 2, with its binary extension: JSON, then the numbers of each
// tensor as little-endian bytes, one tensor after the other.

const LENGTH = "Inference-Header-Content-Length";

const BYTES = { FP32: 4, INT64: 8, UINT8: 1 };

/** A request's headers and body. Inputs are { name, shape, datatype, data }, data a typed array. */
export function encode({ inputs, outputs, parameters }) {
  const head = {
    inputs: inputs.map(({ name, shape, datatype, data }) => (
      { name, shape, datatype, parameters: { binary_data_size: data.byteLength } }
    )),
    outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })),
    parameters,
  };
  const json = new TextEncoder().encode(JSON.stringify(head));
  const body = new Blob([json, ...inputs.map(({ data }) => littleEndian(data))]);
  return { headers: { [LENGTH]: String(json.length), "Content-Type": "application/octet-stream" }, body };
}

/** The outputs of a response: name → typed array. Labels (INT64) become numbers. */
export async function decode(response) {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const length = Number(response.headers.get(LENGTH) ?? bytes.length);
  const { outputs } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
  const tensors = {};
  let at = length;
  for (const { name, datatype, data, parameters } of outputs) {
    const size = parameters?.binary_data_size;
    if (size === undefined) {
      tensors[name] = data;
      continue;
    }
    tensors[name] = numbers(datatype, bytes.slice(at, at + size));
    at += size;
  }
  return tensors;
}

function numbers(datatype, bytes) {
  const view = new DataView(bytes.buffer);
  const read = {
    UINT8: (at) => view.getUint8(at),
    FP32: (at) => view.getFloat32(at, true),
    INT64: (at) => Number(view.getBigInt64(at, true)),
  }[datatype];
  if (datatype === "UINT8") return bytes;
  return Array.from({ length: bytes.length / BYTES[datatype] }, (_, i) => read(i * BYTES[datatype]));
}

/** The bytes of a Float32Array or BigInt64Array in the order that the protocol has. */
function littleEndian(data) {
  const view = new DataView(new ArrayBuffer(data.byteLength));
  const size = data.BYTES_PER_ELEMENT;
  data.forEach((value, i) => {
    if (data instanceof BigInt64Array) view.setBigInt64(i * size, value, true);
    else view.setFloat32(i * size, value, true);
  });
  return view.buffer;
}
