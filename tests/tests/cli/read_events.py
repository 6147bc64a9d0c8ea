"""Prints what TensorBoard's own reader finds in a run's folder, as JSON by kind and tag."""

import json
import sys
from dataclasses import asdict

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# 0: keep every event, not a sample of them.
kinds = ("scalars", "images", "histograms")
run = EventAccumulator(sys.argv[1], size_guidance={kind: 0 for kind in kinds})
run.Reload()

found = {
    "scalars": {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in run.Tags()["scalars"]},
    "images": {
        tag: [[e.step, e.width, e.height, list(e.encoded_image_string)] for e in run.Images(tag)]
        for tag in run.Tags()["images"]
    },
    "histograms": {
        tag: [[e.step, asdict(e.histogram_value)] for e in run.Histograms(tag)]
        for tag in run.Tags()["histograms"]
    },
}
json.dump(found, sys.stdout)
