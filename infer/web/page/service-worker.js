// Keeps the page's files, so that it opens without a connection. (store.js keeps the models.)
//
// files.js, which scripts/web.sh writes, names the files and has a version that changes with any of them. A new
// version is fetched whole, and serves once all pages of the one before are closed: files of two versions are
// never mixed.

importScripts("files.js");

const PREFIX = `infer-page ${self.registration.scope} `;
const CACHE = PREFIX + self.VERSION;

addEventListener("install", (event) => {
  const files = self.FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)));
});

addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    return (await cache.match(event.request, { ignoreSearch: true })) ?? fetch(event.request);
  })());
});
