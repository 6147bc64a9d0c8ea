// What draws the page's images. The page knows nothing of it but the methods below, so that another one (the
// library as WebAssembly, for a page without a server) can take the server's place.
//
// Seeds and indices are decimal texts: they go up to 2⁶⁴ − 1, beyond what a JavaScript number holds exactly.
//
// A back end has
//
//   async about()                        → { program, models: [Model], links: [{ name, address }] }
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
//                                        → [{ name, address }], files to download; format is "npz" or "idx"
//
// A Model is what /about says of one (see routes/about.rs). An Image is
//
//   pixels      Uint8Array (C, H, W)
//   label       what the judge reads it as, or null without a judge
//   confidence  how sure it is, 0 to 1, or null
//   redrawn     true if verifying it took another attempt

import { Server } from "./server.js";

/** The back end of where this page comes from. */
export function connect() {
  return new Server(document.baseURI);
}
