// Images as bytes, (C, H, W), and as canvases have them.

/** The `count` images of a PNG that has them side by side. `shape` has channels, height and width of one. */
export async function decodePicture(blob, shape, count) {
  const { channels, height, width } = shape;
  // Bytes as they are in the file: no colour profile, no blending.
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  if (bitmap.width !== count * width || bitmap.height !== height) {
    throw new Error(`The picture has ${bitmap.width} × ${bitmap.height} pixels, not ${count} images.`);
  }
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return Array.from({ length: count }, (_, i) => {
    const { data } = context.getImageData(i * width, 0, width, height);
    const plane = height * width;
    return Uint8Array.from({ length: channels * plane }, (_, at) => (
      data[4 * (at % plane) + Math.floor(at / plane)]
    ));
  });
}

/** Puts images on a canvas in a grid, each pixel of theirs one of its. */
export function paint(canvas, images, shape, columns = 1) {
  const { channels, height, width } = shape;
  const rows = Math.ceil(images.length / columns);
  // Setting a size clears a canvas, so it would flicker.
  if (canvas.width !== columns * width) canvas.width = columns * width;
  if (canvas.height !== rows * height) canvas.height = rows * height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const plane = height * width;
  images.forEach((pixels, i) => {
    const data = context.createImageData(width, height);
    for (let at = 0; at < plane; at++) {
      for (let channel = 0; channel < 3; channel++) {
        data.data[4 * at + channel] = pixels[(channel % channels) * plane + at];
      }
      data.data[4 * at + 3] = 255;
    }
    context.putImageData(data, (i % columns) * width, Math.floor(i / columns) * height);
  });
}

/** A PNG file of images side by side, each pixel a square of `scale` a side. */
export function toPng(images, shape, scale) {
  const small = document.createElement("canvas");
  paint(small, images, shape, images.length);
  const large = document.createElement("canvas");
  large.width = small.width * scale;
  large.height = small.height * scale;
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, large.width, large.height);
  return new Promise((resolve, reject) => {
    large.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large."))), "image/png");
  });
}
