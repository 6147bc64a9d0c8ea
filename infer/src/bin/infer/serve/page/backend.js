// What draws the page's images: the server that the page came from, or, where it came from one that only has
// files, the library as WebAssembly (infer/web/page/browser.js). The page knows nothing of it but the methods
// below.
//
// Seeds and indices are decimal texts: they go up to 2⁶⁴ − 1, beyond what a JavaScript number holds exactly.
//
// A back end has
//
//   async about(progress)                → { program, models: [Model], links: [{ name, address }] }; `progress` is
//                                          told { loaded, total } while a model is fetched
//   async draw({ model, classes, seed, index, verify })
//                                        → [Image], one for each class: image `index + i` of the seed as class
//                                          `classes[i]`; `[null]` is the one image of an unlabelled model
//   async drawLatents({ model, labels, z })
//                                        → { images: [Image], milliseconds }; z is a Float32Array of
//                                          (N, latent_dim), labels N numbers, or none for an unlabelled model
//   async latents({ model, seed, index }) → Float32Array, z of that image
//   async dimensions({ model, name, seed, index })
//                                        → [{ dimension, change }], those first along which that image changes
//                                          most; `name` is its class
//   async picture({ model, classes, seed, index, verify, scale })
//                                        → Blob, the PNG file of what `draw` draws
//   dataset({ model, count, seed, verify, format })
//                                        → [{ name, address }], files to download, or [{ name, draw }]: `draw` is
//                                          async, takes { progress, signal }, tells `progress` its share from 0
//                                          to 1 and returns a Blob; format is "npz" or "idx"
//
// A Model is what /about says of one (see routes/about.rs), and, if the model was tested when it was loaded,
// self_test, what came of it. An Image is
//
//   pixels      Uint8Array (C, H, W)
//   label       what the judge reads it as, or null without a judge
//   confidence  how sure it is, 0 to 1, or null
//   redrawn     true if verifying it took another attempt

import { Server } from "./server.js";

/** The back end of where this page comes from; scripts/web.sh marks the page that has no server behind it. */
export async function connect() {
  if (!document.querySelector("meta[name=backend][content=browser]")) return new Server(document.baseURI);
  const { Browser } = await import("./browser.js");
  return new Browser(document.baseURI);
}
