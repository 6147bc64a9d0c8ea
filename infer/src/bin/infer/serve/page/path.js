// The way from one image's latents to another's: the same as `infer look walk` (infer/src/path.rs, which says
// why normal latents follow an arc), point for point but for the last bit.

/** Below this sine of the angle between two points an arc isn't defined, and the path is a straight line. */
const SMALLEST_SINE = 1e-6;

/**
 * `steps` points from `from` towards `to`, the first of them `from`; the one after the last would be `to`. It
 * begins and ends slowly (smoothstep).
 */
export function stretch(model, from, to, steps) {
  const smooth = (t) => t * t * (3 - 2 * t);
  return Array.from({ length: steps }, (_, k) => (
    point(model, from, to, smooth((steps - k) / steps), smooth(k / steps))
  ));
}

function point(model, from, to, ofFrom, ofTo) {
  if (model.latent_distribution.startsWith("normal")) {
    const angle = angleBetween(from, to);
    const sine = Math.sin(angle);
    if (sine > SMALLEST_SINE) {
      [ofFrom, ofTo] = [ofFrom, ofTo].map((share) => Math.sin(share * angle) / sine);
    }
  }
  return from.map((value, i) => ofFrom * value + ofTo * to[i]);
}

function angleBetween(a, b) {
  const product = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const lengths = Math.sqrt(product(a, a) * product(b, b));
  return lengths > 0 ? Math.acos(Math.min(1, Math.max(-1, product(a, b) / lengths))) : 0;
}
