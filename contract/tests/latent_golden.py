"""Golden latents for `contract/tests/latent.rs`, from a plain ChaCha8 (D. J. Bernstein, "ChaCha, a
variant of Salsa20", 2008) that shares no code with the crate.

    python3 contract/tests/latent_golden.py

State words: 0-3 "expand 32-byte k", 4-11 the key, 12-13 the 64-bit block counter, 14-15 the 64-bit
stream number. Key: the seed as 8 little-endian bytes, then 24 zero bytes. Image i reads stream i.
"""

import math
import struct


def rotate(value, bits):
    return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF


def block(key, counter, stream):
    state = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    state += list(struct.unpack("<4I", struct.pack("<QQ", counter, stream)))
    x = state.copy()

    def quarter_round(a, b, c, d):
        for target, other, turn, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[target] = (x[target] + x[other]) & 0xFFFFFFFF
            x[turn] = rotate(x[turn] ^ x[target], bits)

    for _ in range(4):  # eight rounds: four columns-then-diagonals pairs
        for i in range(4):
            quarter_round(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter_round(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & 0xFFFFFFFF for a, b in zip(x, state)]


def words(seed, image, count):
    """The first `count` u32s of one image's stream."""
    key = struct.pack("<Q", seed) + bytes(24)
    return [word for counter in range((count + 15) // 16) for word in block(key, counter, image)][:count]


def latents(seed, image, count):
    """The first `count` latents of one image: each u32 gives ((u >> 8) * 2^-24) * 2 - 1, exact in float32."""
    return [(word >> 8) * 2.0**-24 * 2.0 - 1.0 for word in words(seed, image, count)]


def normal_latents(seed, image, count):
    """The first `count` (an even number) normal latents: Box-Muller on pairs of u32s, to float32."""
    drawn = words(seed, image, count)
    values = []
    for a, b in zip(drawn[::2], drawn[1::2]):
        radius = math.sqrt(-2 * math.log((a + 1) * 2.0**-32))
        angle = 2 * math.pi * b * 2.0**-32
        values += [radius * math.cos(angle), radius * math.sin(angle)]
    return [struct.unpack("<f", struct.pack("<f", value))[0] for value in values]


if __name__ == "__main__":
    for draw in (latents, normal_latents):
        print(draw.__name__)
        for seed, image in ((0, 0), (7, 3), (2**63 + 5, 2**40)):
            values = draw(seed, image, 100)
            picked = {i: values[i] for i in (0, 1, 2, 15, 16, 99)}
            print(f"seed {seed}, image {image}:", ", ".join(f"[{i}] {v!r}" for i, v in picked.items()))
