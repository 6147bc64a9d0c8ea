"""Golden values for distances between sets of features: writes metrics.json beside itself.

Two small sets of points, and what numpy makes of them by the definitions, in the most literal way:

  frechet     |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) (Heusel et al. 2017); the root's trace is the sum of
              the roots of the eigenvalues of C C' (not symmetric, so another way than the program's)
  precision   part of the generated points within the third-neighbour ball of any real point
  recall      part of the real points within such a ball of any generated point (Kynkaanniemi et al. 2019)
  density     real fifth-neighbour balls around a generated point, over 5, on average
  coverage    part of the real fifth-neighbour balls that hold a generated point (Naeem et al. 2020)

The sets differ in size, their points in all coordinates, and some generated points are far out.
"""

import json
import pathlib

import numpy as np

DIMENSIONS, REAL, GENERATED = 5, 40, 31


def neighbour_distance(points, k):
    """The distance of each point to its k-th neighbour."""
    radii = []
    for i, point in enumerate(points):
        others = np.delete(points, i, axis=0)
        radii.append(np.sort(np.linalg.norm(others - point, axis=1))[k - 1])
    return radii


def frechet(a, b):
    product = np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(product).astype(complex)).real.sum()
    means = a.mean(axis=0) - b.mean(axis=0)
    return means @ means + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False)) - 2 * roots


def within(points, centres, radii):
    """(points, centres): whether the point is within the ball."""
    return np.array([[np.linalg.norm(p - c) <= r for c, r in zip(centres, radii)] for p in points])


def main():
    random = np.random.default_rng(0)
    mixing = random.normal(size=(DIMENSIONS, DIMENSIONS))
    real = random.normal(size=(REAL, DIMENSIONS)) @ mixing + 3
    generated = 0.5 * random.normal(size=(GENERATED, DIMENSIONS)) @ mixing + 3.6
    generated[:4] += 6
    real, generated = (points.astype(np.float32).astype(np.float64) for points in (real, generated))

    in_real = within(generated, real, neighbour_distance(real, 3))
    in_generated = within(real, generated, neighbour_distance(generated, 3))
    in_dense = within(generated, real, neighbour_distance(real, 5))
    values = {
        "dimensions": DIMENSIONS,
        "real": real.flatten().tolist(),
        "generated": generated.flatten().tolist(),
        "frechet": frechet(real, generated),
        "precision": in_real.any(axis=1).mean(),
        "recall": in_generated.any(axis=1).mean(),
        "density": in_dense.sum() / (5 * GENERATED),
        "coverage": in_dense.any(axis=0).mean(),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(values) + "\n")
    print({name: value for name, value in values.items() if isinstance(value, float)})


if __name__ == "__main__":
    main()
