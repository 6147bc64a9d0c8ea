// Files of models: fetched once, and kept by the browser where it has a place for them, which is on pages that
// came by HTTPS or from this machine.

const CACHE = "infer-models";

/**
 * The bytes of a file { file, bytes }, whose name tells its content. `progress` is told { loaded, total } while
 * they come.
 */
export async function fetchFile({ file, bytes }, base, progress) {
  const address = new URL(file, base).href;
  const kept = await (await cache())?.match(address);
  if (kept) return new Uint8Array(await kept.arrayBuffer());
  const fetched = await download(address, bytes, progress);
  await keep(address, fetched);
  return fetched;
}

/** Forgets a file that turned out to be damaged. */
export async function forget({ file }, base) {
  await (await cache())?.delete(new URL(file, base).href);
}

/** Forgets all files but these, such as those of an earlier version. */
export async function forgetOthers(files, base) {
  const store = await cache();
  const wanted = files.map(({ file }) => new URL(file, base).href);
  for (const { url } of (await store?.keys()) ?? []) {
    // Another page of this origin has a place of its own.
    if (url.startsWith(new URL("models/", base).href) && !wanted.includes(url)) await store.delete(url);
  }
}

/** Where files are kept; null where there is no such place, or it is forbidden. */
async function cache() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

async function keep(address, bytes) {
  try {
    await (await cache())?.put(address, new Response(bytes));
  } catch {
    // No room: it is fetched anew the next time.
  }
}

async function download(address, total, progress) {
  let response;
  try {
    response = await fetch(address);
  } catch {
    throw new Error("The model can't be fetched; is there a connection?");
  }
  if (!response.ok) throw new Error(`The model can't be fetched (status ${response.status}).`);
  const bytes = new Uint8Array(total);
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (loaded + value.length <= total) bytes.set(value, loaded);
    loaded += value.length;
    progress({ loaded: Math.min(loaded, total), total });
  }
  if (loaded !== total) throw new Error(`The model's file has ${loaded} bytes, not ${total}; reload the page.`);
  return bytes;
}
