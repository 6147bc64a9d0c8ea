"""Reads a data set with the library that it is for, and prints what it found as JSON.

    read_data_set.py datasets FOLDER
    read_data_set.py webdataset FOLDER
    read_data_set.py stylegan FILE.zip
    read_data_set.py pandas FILE.jsonl | FOLDER with labels.csv | FILE.parquet
    read_data_set.py imagefolder FOLDER
    read_data_set.py mnist FOLDER with MNIST/raw

For each split: the labels, the classes' names, and the SHA-256 of all pixels, row by row, a pixel's channels
side by side.
"""

import hashlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

# What is read lies here; nothing is to be asked for elsewhere.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")


def found(images, labels, classes=None):
    pixels = hashlib.sha256()
    count = 0
    for image in images:
        pixels.update(np.ascontiguousarray(image, np.uint8).tobytes())
        count += 1
    return {"count": count, "labels": labels, "classes": classes, "pixels": pixels.hexdigest()}


def decoded(content):
    return Image.open(io.BytesIO(content))


def of_datasets(path):
    from datasets import ClassLabel, load_dataset

    sets = load_dataset(path, cache_dir=os.environ["HF_HOME"])
    result = {}
    for split, rows in sets.items():
        label = rows.features["label"]
        assert isinstance(label, ClassLabel), label
        result[split] = found((row["image"] for row in rows), rows["label"][:], label.names)
        result[split]["columns"] = list(rows.features)
    return result


def of_webdataset(path):
    import webdataset

    result = {}
    for split in "train", "test":
        if tars := sorted(str(tar) for tar in Path(path).glob(f"{split}-*.tar")):
            samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
            for sample in samples:
                assert sample["json"]["label"] == sample["cls"], sample
                assert sample["__key__"] == f"{sample['json']['index']:06}", sample
            # PIL's pictures come in colour.
            grey = all(decoded(png).mode == "L" for png in raw_pngs(tars))
            images = (sample["png"].convert("L") if grey else sample["png"] for sample in samples)
            classes = dict(sorted((sample["cls"], sample["json"]["class"]) for sample in samples))
            result[split] = found(images, [sample["cls"] for sample in samples], list(classes.values()))
    return result


def raw_pngs(tars):
    import tarfile

    for tar in tars:
        with tarfile.open(tar) as archive:
            for member in archive:
                assert (member.mtime, member.uid, member.gid, member.isreg()) == (0, 0, 0, True), member
                if member.name.endswith(".png"):
                    yield archive.extractfile(member).read()


def of_stylegan(path):
    """As ImageFolderDataset of StyleGAN2-ADA and StyleGAN3 (training/dataset.py) reads an archive."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = sorted(name for name in archive.namelist() if Path(name).suffix == ".png")
        images = [np.array(decoded(archive.read(name))) for name in names]
        table = json.loads(archive.read("dataset.json"))
    labels = dict(table["labels"])
    return {"train": found(images, [labels[name] for name in names], table["classes"])}


def of_pandas(path):
    import pandas

    if path.endswith(".jsonl"):
        lines = pandas.read_json(path, lines=True, dtype={"class": str})
        images = (np.array(p).reshape(s).transpose(1, 2, 0) for p, s in zip(lines["pixels"], lines["shape"]))
        names = dict(zip(lines["label"].tolist(), lines["class"]))
        return {"train": found(images, lines["label"].tolist(), [names[key] for key in sorted(names)])}
    if path.endswith(".parquet"):
        rows = pandas.read_parquet(path)
        images = (decoded(image["bytes"]) for image in rows["image"])
        return {"train": found(images, rows["label"].tolist())}
    table = pandas.read_csv(Path(path) / "labels.csv", dtype={"label": str})
    names = sorted(set(table["label"]))
    images = (Image.open(Path(path) / file) for file in table["file"])
    return {"train": found(images, [names.index(name) for name in table["label"]], names)}


def of_imagefolder(path):
    from torchvision.datasets import ImageFolder

    images = ImageFolder(path, loader=Image.open)
    # In the order in which they were drawn, which their files' names tell.
    samples = sorted(images.samples, key=lambda sample: Path(sample[0]).name)
    loaded = (images.loader(file) for file, _ in samples)
    return {"train": found(loaded, [label for _, label in samples], images.classes)}


def of_mnist(path):
    from torchvision.datasets import MNIST

    result = {}
    for split in "train", "test":
        images = MNIST(path, train=split == "train")
        names = [name.split(" - ")[0] for name in images.classes]
        result[split] = found((image for image, _ in images), images.targets.tolist(), names)
    return result


if __name__ == "__main__":
    kind, path = sys.argv[1:]
    json.dump(globals()[f"of_{kind}"](path), sys.stdout)
