"""What `infer serve` is measured beside: the same model behind FastAPI, as its documentation would write it.

MODEL names the file, THREADS how many a run may use (0: ONNX Runtime's default). Run by beside_fastapi.py."""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Response
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["THREADS"])
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Digits(BaseModel):
    z: list[list[float]]
    label: list[int]


# Not async: it waits for the network, so it runs in FastAPI's pool of threads, and ONNX Runtime lets go of
# Python's lock while it does.
@app.post("/infer")
def infer(digits: Digits) -> Response:
    inputs = {"z": np.array(digits.z, np.float32), "label": np.array(digits.label, np.int64)}
    (image,) = session.run(["image"], inputs)
    return Response(image.tobytes(), media_type="application/octet-stream")
