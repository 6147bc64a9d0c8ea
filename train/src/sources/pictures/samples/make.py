"""Pictures in forms that the image crate reads but doesn't write, beside this script.

Made with Python 3.11, numpy 2.4.6 and Pillow 13.0.0: python make.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

y, x = np.mgrid[0:16, 0:24]
colour = Image.fromarray(np.stack([x * 10, y * 15, x * y % 256], -1).astype("u1"))
half = colour.copy()
half.putalpha(Image.fromarray((255 - x * 10).astype("u1")))

folder = Path(__file__).parent
colour.save(folder / "progressive.jpg", progressive=True, quality=60)
colour.convert("L").save(folder / "grey-progressive.jpg", progressive=True, quality=60)
# Its comment looks like the end of a JPEG.
colour.save(folder / "restarts.jpg", restart_marker_blocks=1, quality=60, comment=b"\xff\xd9")
colour.save(folder / "lossy.webp", quality=60)
half.save(folder / "transparent.webp", quality=60)
colour.quantize(16).save(folder / "palette.bmp")
