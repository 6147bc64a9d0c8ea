// What a link keeps: everything that decides a picture. It stands in the address's fragment, which browsers send
// to no server.
//
//   #draw=2024&seed=7&index=3&verify&z=0:42:0.5,1:17:-0.25&model=mnist-generator
//
// z has the latents that were moved: position in the number, dimension, value.

/** The largest seed and index. */
const LARGEST = 2n ** 64n - 1n;

/** What is drawn where a link says nothing. */
export const START = { draw: "2024", seed: "7", index: "0", verify: false, model: null, moves: new Map() };

/** A whole number from 0 to 2⁶⁴ − 1 as its plain decimal text, or null. */
export function whole(text) {
  const digits = String(text).trim();
  if (!/^[0-9]{1,20}$/.test(digits) || BigInt(digits) > LARGEST) return null;
  return BigInt(digits).toString();
}

/** `index + by`, or null beyond the ends. */
export function add(index, by) {
  const sum = BigInt(index) + BigInt(by);
  return sum < 0n || sum > LARGEST ? null : sum.toString();
}

/** The link of a state. */
export function format({ draw, seed, index, verify, model, moves }) {
  const parts = [`draw=${encodeURIComponent(draw)}`, `seed=${seed}`, `index=${index}`];
  if (verify) parts.push("verify");
  const moved = [];
  for (const [position, dimensions] of moves) {
    for (const [dimension, value] of dimensions) moved.push(`${position}:${dimension}:${value}`);
  }
  if (moved.length) parts.push(`z=${moved.join(",")}`);
  if (model) parts.push(`model=${encodeURIComponent(model)}`);
  return `#${parts.join("&")}`;
}

/** The state of a link; what it doesn't say, or says wrongly, is as at the start. */
export function parse(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  return {
    draw: said.get("draw") ?? START.draw,
    seed: whole(said.get("seed")) ?? START.seed,
    index: whole(said.get("index")) ?? START.index,
    verify: said.has("verify"),
    model: said.get("model"),
    moves: parseMoves(said.get("z") ?? ""),
  };
}

function parseMoves(text) {
  const moves = new Map();
  for (const part of text.split(",")) {
    const found = /^([0-9]{1,4}):([0-9]{1,6}):(-?[0-9]+(?:\.[0-9]+)?)$/.exec(part);
    if (found) move(moves, Number(found[1]), Number(found[2]), Number(found[3]));
  }
  return moves;
}

/** Sets one dimension of the image at a position. */
export function move(moves, position, dimension, value) {
  if (!moves.has(position)) moves.set(position, new Map());
  moves.get(position).set(dimension, value);
}
