// Answers requests beside the page, in their order.

import { Library } from "./library.js";

const library = Library.load(new URL("infer.wasm", import.meta.url));
// Whoever asks is told.
library.catch(() => {});

addEventListener("message", async ({ data: { id, head, body } }) => {
  try {
    const loaded = await library;
    const reply = loaded.ask(head, body);
    postMessage({ id, ...reply, memory: loaded.memory }, [reply.body.buffer]);
  } catch (error) {
    // What stops the module is a fault of it, or the end of memory.
    const stopped = error instanceof WebAssembly.RuntimeError;
    const sentence = stopped ? `The engine has stopped (${error.message}); reload the page.` : error.message;
    postMessage({ id, head: { error: sentence }, body: new Uint8Array(), memory: 0 });
  }
});
