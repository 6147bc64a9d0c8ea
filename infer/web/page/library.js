// infer's library, a module of WebAssembly. A request and a reply are the length of a JSON text (32 bits,
// little-endian), the text, and other bytes; see infer/web/src/message.rs.

const LENGTH = 4;
/** Other bytes of a request begin at a multiple of this, so that numbers in them can be used where they lie. */
const ALIGNMENT = 8;

export class Library {
  #functions;

  constructor(instance) {
    this.#functions = instance.exports;
  }

  /** Fetches and compiles the module. */
  static async load(address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address} is not there (status ${response.status}).`);
    // Not compileStreaming: it wants a content type that not every host knows.
    const { instance } = await WebAssembly.instantiate(await response.arrayBuffer(), {});
    return new Library(instance);
  }

  /** Answers a request, an object and a Uint8Array: { head, body }. */
  ask(head, body = new Uint8Array()) {
    const { memory, room, answer, reply_length } = this.#functions;
    let text = JSON.stringify(head);
    const bytes = new TextEncoder().encode(text).length;
    text += " ".repeat((2 * ALIGNMENT - LENGTH - (bytes % ALIGNMENT)) % ALIGNMENT);
    const encoded = new TextEncoder().encode(text);
    const request = room(LENGTH + encoded.length + body.length) >>> 0;
    new DataView(memory.buffer).setUint32(request, encoded.length, true);
    new Uint8Array(memory.buffer).set(encoded, request + LENGTH);
    new Uint8Array(memory.buffer).set(body, request + LENGTH + encoded.length);
    const reply = answer() >>> 0;
    const start = reply + LENGTH + new DataView(memory.buffer).getUint32(reply, true);
    const said = new Uint8Array(memory.buffer, reply + LENGTH, start - reply - LENGTH);
    return {
      head: JSON.parse(new TextDecoder().decode(said)),
      body: new Uint8Array(memory.buffer).slice(start, reply + reply_length()),
    };
  }

  /** Bytes of memory that it has taken; it gives none back. */
  get memory() {
    return this.#functions.memory.buffer.byteLength;
  }
}
