"""Reads a data set of strings with the library that it is for, and prints what it found as JSON.

    read_strings.py pandas FILE.jsonl
    read_strings.py coco FOLDER | yolo FOLDER
    read_strings.py datasets FOLDER | webdataset FOLDER
    read_strings.py numpy FILE.npz

The texts, the place of each character (column, row, width, height), each picture's width and height, and the SHA-256
of all pixels, row by row.
"""

import contextlib
import hashlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")


def found(texts, boxes, images):
    pixels, sizes = hashlib.sha256(), []
    for image in images:
        image = np.ascontiguousarray(image, np.uint8)
        pixels.update(image.tobytes())
        sizes.append([image.shape[1], image.shape[0]])
    return {"texts": texts, "boxes": boxes, "sizes": sizes, "pixels": pixels.hexdigest()}


def of_pandas(path):
    import pandas

    lines = pandas.read_json(path, lines=True, dtype={"text": str})
    images = [np.array(pixels).reshape(shape[1:]) for pixels, shape in zip(lines["pixels"], lines["shape"])]
    assert [len(labels) for labels in lines["labels"]] == [len(text) for text in lines["text"]]
    return found(lines["text"].tolist(), lines["boxes"].tolist(), images)


def of_coco(path):
    import pandas
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(f"{path}/annotations.json")
        texts, boxes, images, detected = [], [], [], []
        for image in coco.loadImgs(sorted(coco.getImgIds())):
            annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
            names = [coco.loadCats([one["category_id"]])[0]["name"] for one in annotations]
            texts.append("".join(names))
            boxes.append([one["bbox"] for one in annotations])
            picture = Image.open(f"{path}/{image['file_name']}")
            assert picture.size == (image["width"], image["height"])
            images.append(picture)
            keys = "image_id", "category_id", "bbox"
            detected += [{key: one[key] for key in keys} | {"score": 1.0} for one in annotations]
        # Who finds all of it finds all of it: no identifier or area gets in the way of the measure.
        measure = COCOeval(coco, coco.loadRes(detected), "bbox")
        measure.evaluate()
        measure.accumulate()
        measure.summarize()
        assert measure.stats[0] > 0.999, measure.stats
    table = pandas.read_csv(f"{path}/labels.csv", dtype={"text": str})
    assert table["text"].tolist() == texts
    return found(texts, boxes, images)


def of_yolo(path):
    texts, boxes, images = [], [], []
    names = dict(line.split(":") for line in (Path(path) / "data.yaml").read_text().split("names:\n")[1].splitlines())
    names = {key.strip(): json.loads(value) for key, value in names.items()}
    for file in sorted((Path(path) / "images").glob("*.png")):
        image = Image.open(file)
        lines = [line.split() for line in (Path(path) / "labels" / f"{file.stem}.txt").read_text().splitlines()]
        texts.append("".join(names[label] for label, *_ in lines))
        sides = [[float(side) for side in line[1:]] for line in lines]
        w, h = image.size
        boxes.append([[round((x - a / 2) * w), round((y - b / 2) * h), round(a * w), round(b * h)] for x, y, a, b in sides])
        images.append(image)
    return found(texts, boxes, images)


def of_datasets(path):
    from datasets import load_dataset

    rows = load_dataset(path, cache_dir=os.environ["HF_HOME"])["train"]
    assert list(rows.features) == ["image", "text", "boxes"], rows.features
    boxes = [json.loads(boxes) for boxes in rows["boxes"]]
    return found(list(rows["text"]), boxes, [row["image"] for row in rows])


def of_webdataset(path):
    import webdataset

    tars = sorted(str(tar) for tar in Path(path).glob("train-*.tar"))
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
    assert all(sample["json"]["text"] == sample["txt"] for sample in samples)
    images = [sample["png"].convert("L") for sample in samples]
    return found([sample["txt"] for sample in samples], [sample["json"]["boxes"] for sample in samples], images)


def of_numpy(path):
    archive = np.load(path)
    labels = archive["labels"]
    assert labels.dtype == np.uint8
    texts = ["".join(str(label) for label in row[row != 255]) for row in labels]
    return found(texts, None, archive["images"])


if __name__ == "__main__":
    kind, path = sys.argv[1:]
    json.dump(globals()[f"of_{kind}"](path), sys.stdout)
