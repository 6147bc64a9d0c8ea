#!/usr/bin/env python3
"""Whether two files of raw pixels are the same images: as long, and no pixel more than one level apart, as
engines and processors round apart. Says how many pixels differ; ends with 1 if they are not the same.

    python3 scripts/same_images.py cpu.raw cuda.raw
"""

import pathlib
import sys

a, b = (pathlib.Path(name).read_bytes() for name in sys.argv[1:3])
apart = [abs(x - y) for x, y in zip(a, b) if x != y]
largest = max(apart, default=0)
print(f"{len(apart)} of {len(a)} pixels differ, by at most {largest} of 255")
if not a or len(a) != len(b) or largest > 1:
    sys.exit(f"these are not the same images: {len(a)} and {len(b)} pixels")
