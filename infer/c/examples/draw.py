"""Draws digits through the C library, with Python's own ctypes, and asks a judge what they show.

    python3 draw.py MODEL [JUDGE [LIBRARY]]

Writes all classes side by side to classes.pgm.
"""

import ctypes
import ctypes.util
import sys
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_float, c_int64, c_size_t, c_uint8, c_uint64, c_void_p


class Options(ctypes.Structure):
    _fields_ = [
        ("engine", c_char_p),
        ("device", c_char_p),
        ("runtime", c_char_p),
        ("judge", c_char_p),
        ("judge_bytes", POINTER(c_uint8)),
        ("judge_length", c_size_t),
        ("threads", c_size_t),
        ("expected_images", c_size_t),
    ]


class Description(ctypes.Structure):
    _fields_ = [
        ("channels", c_size_t),
        ("height", c_size_t),
        ("width", c_size_t),
        ("latent_dim", c_size_t),
        ("labelled", c_bool),
        ("classes", c_size_t),
        ("has_judge", c_bool),
    ]


class Sample(ctypes.Structure):
    _fields_ = [("index", c_uint64), ("label", c_int64)]


class Output(ctypes.Structure):
    _fields_ = [
        ("pixels", POINTER(c_uint8)),
        ("pixels_length", c_size_t),
        ("values", POINTER(c_float)),
        ("values_length", c_size_t),
    ]


class Reading(ctypes.Structure):
    _fields_ = [("label", c_int64), ("confidence", c_double)]


def load(library):
    edgegan = ctypes.CDLL(library or ctypes.util.find_library("edgegan") or "libedgegan.so")
    edgegan.edgegan_last_error.restype = c_char_p
    edgegan.edgegan_class_name.restype = c_char_p
    edgegan.edgegan_class_name.argtypes = [c_void_p, c_int64]
    edgegan.edgegan_load.argtypes = [c_char_p, POINTER(Options), POINTER(c_void_p)]
    edgegan.edgegan_free.argtypes = [c_void_p]
    edgegan.edgegan_free.restype = None
    edgegan.edgegan_describe.argtypes = [c_void_p, POINTER(Description)]
    edgegan.edgegan_draw.argtypes = [c_void_p, c_uint64, POINTER(Sample), c_size_t, POINTER(Output)]
    edgegan.edgegan_verify.argtypes = [c_void_p, POINTER(c_uint8), c_size_t, c_size_t, POINTER(Reading)]
    return edgegan


def main(model, judge=None, library=None):
    edgegan = load(library)

    def check(status):
        if status != 0:
            sys.exit(f"draw.py: {edgegan.edgegan_last_error().decode()}")

    options = Options(judge=judge and judge.encode())
    generator = c_void_p()
    check(edgegan.edgegan_load(model.encode(), byref(options), byref(generator)))
    found = Description()
    check(edgegan.edgegan_describe(generator, byref(found)))
    if found.channels != 1:
        sys.exit("draw.py: the model draws in colour, which a PGM file can't hold")

    count = max(found.classes, 1)
    samples = (Sample * count)(*(Sample(index=0, label=label) for label in range(count)))
    size = found.height * found.width
    pixels = (c_uint8 * (count * size))()
    output = Output(pixels=pixels, pixels_length=len(pixels))
    check(edgegan.edgegan_draw(generator, 7, samples, count, byref(output)))
    with open("classes.pgm", "wb") as file:
        file.write(f"P5\n{count * found.width} {found.height}\n255\n".encode())
        for row in range(found.height):
            for image in range(count):
                start = image * size + row * found.width
                file.write(bytes(pixels[start : start + found.width]))

    if found.has_judge:
        readings = (Reading * count)()
        check(edgegan.edgegan_verify(generator, pixels, len(pixels), count, readings))
        for sample, reading in zip(samples, readings):
            drawn, read = (edgegan.edgegan_class_name(generator, label).decode() for label in (sample.label, reading.label))
            print(f"{drawn} is read as {read} ({reading.confidence:.4f})")
    edgegan.edgegan_free(generator)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
