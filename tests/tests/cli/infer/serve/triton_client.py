"""What tritonclient, unmodified, finds at a server of the shipped generator: triton_client.py ADDRESS EXPECTED

EXPECTED has the pixels of the first images of seed 7, a byte each. The server takes 100 images a request."""

import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, expected = sys.argv[1:]
expected = np.fromfile(expected, dtype=np.uint8).reshape(-1, 1, 28, 28)
client = http.InferenceServerClient(address)
NAME = "mnist-generator"

assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(NAME)
assert client.is_model_ready(NAME, "1") and not client.is_model_ready("other")
server = client.get_server_metadata()
assert server["name"] and server["version"] and "binary_tensor_data" in server["extensions"], server
metadata = client.get_model_metadata(NAME)
assert metadata == client.get_model_metadata(NAME, "1")
assert metadata["name"] == NAME and metadata["versions"] == ["1"] and metadata["platform"], metadata
tensors = {t["name"]: (t["datatype"], t["shape"]) for t in metadata["inputs"] + metadata["outputs"]}
assert tensors == {
    "z": ("FP32", [-1, 100]),
    "label": ("INT64", [-1]),
    "image": ("FP32", [-1, 1, 28, 28]),
    "pixels": ("UINT8", [-1, 1, 28, 28]),
    "judged": ("INT64", [-1]),
    "confidence": ("FP32", [-1]),
}, tensors


def tensor(name, array, binary, datatype=None, shape=None):
    kinds = {"float32": "FP32", "int64": "INT64", "int32": "INT32", "float64": "FP64"}
    made = http.InferInput(name, list(shape or array.shape), datatype or kinds[str(array.dtype)])
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def labels(n, first=0):
    return np.arange(first, first + n, dtype=np.int64) % 10


def asked(*names, binary=True):
    return [http.InferRequestedOutput(name, binary_data=binary) for name in names]


for binary in (False, True):
    for n in (1, 3, 64):
        # Labels alone: the very images of the command line.
        result = client.infer(
            NAME,
            [tensor("label", labels(n, 4), binary)],
            outputs=asked("pixels", "image", binary=binary),
            request_id=f"é {n}",
            parameters={"seed": 7, "index": 4},
        )
        assert (result.as_numpy("pixels") == expected[4 : 4 + n]).all(), n
        image = result.as_numpy("image")
        assert image.dtype == np.float32 and image.shape == (n, 1, 28, 28)
        levels = np.floor(image * np.float32(255) + np.float32(0.5)).clip(0, 255)
        assert (levels == expected[4 : 4 + n]).all(), n
        response = result.get_response()
        assert response["id"] == f"é {n}" and response["model_name"] == NAME and response["model_version"] == "1"
        assert response["parameters"] == {"seed": 7, "index": 4}, response["parameters"]

        # With z it is the plain network: the same for the same latents, whatever seed they are of.
        z = np.random.default_rng(n).uniform(-1, 1, (n, 100)).astype(np.float32)
        plain = client.infer(NAME, [tensor("z", z, binary), tensor("label", labels(n), binary)], model_version="1")
        image = plain.as_numpy("image")
        assert image.shape == (n, 1, 28, 28) and 0 <= image.min() and 0.5 < image.max() <= 1
        one = client.infer(NAME, [tensor("z", z[:1], True), tensor("label", labels(1), True)])
        assert (one.as_numpy("image") == image[:1]).all(), "an image depends on what is drawn with it"

    # Verified: read as what they are.
    result = client.infer(
        NAME, [tensor("label", labels(10), binary)], outputs=asked("judged", "confidence", binary=binary),
        parameters={"seed": 7, "verify": "0.99"},
    )
    assert (result.as_numpy("judged") == labels(10)).all() and (result.as_numpy("confidence") >= 0.99).all()

# Without a seed it is another each time, and said.
seeds = {client.infer(NAME, [tensor("label", labels(1), True)]).get_response()["parameters"]["seed"] for _ in range(4)}
assert len(seeds) > 1


def refused(status, part, name=NAME, **request):
    try:
        client.infer(name, **request)
    except InferenceServerException as error:
        assert error.status() == str(status), (error.status(), error.message())
        assert part in error.message(), (part, error.message())
    else:
        raise AssertionError(f"not refused: {part}")


for binary in (False, True):
    label, z = tensor("label", labels(2), binary), tensor("z", np.zeros((2, 100), np.float32), binary)
    refused(404, "there is no model other", name="other", inputs=[label])
    refused(404, "no version 3", inputs=[label], model_version="3")
    refused(400, "label 10 is not a class", inputs=[tensor("label", np.array([3, 10]), binary)])
    refused(400, "label -1 is not a class", inputs=[tensor("label", np.array([-1]), binary)])
    refused(400, "label has shape [2, 1], but", inputs=[tensor("label", labels(2).reshape(2, 1), binary)])
    refused(400, "z has shape [2, 99], but", inputs=[tensor("z", np.zeros((2, 99), np.float32), binary), label])
    refused(400, "datatype 'INT32'", inputs=[tensor("label", labels(2).astype(np.int32), binary)])
    refused(400, "label has datatype FP32, but", inputs=[tensor("label", labels(2).astype(np.float32), binary)])
    refused(400, "no input digit", inputs=[tensor("digit", labels(2), binary)])
    refused(400, "there are two inputs 'label'", inputs=[label, label])
    refused(400, "label is missing", inputs=[z])
    refused(400, "2 rows and input label 3 numbers", inputs=[z, tensor("label", labels(3), binary)])
    refused(400, "no output picture", inputs=[label], outputs=asked("picture"))
    refused(400, "seed is about the latents", inputs=[z, label], parameters={"seed": 7})
    refused(400, "sead is not known", inputs=[label], parameters={"sead": 7})
    refused(400, "101 images are more than the 100", inputs=[tensor("label", labels(101), binary)])
    refused(400, "no image in this request", inputs=[tensor("label", labels(0), binary)])

# Several at once.
requests = [
    client.async_infer(
        NAME, [tensor("label", labels(1, i), True)], outputs=asked("pixels"), parameters={"seed": 7, "index": i}
    )
    for i in range(32)
]
for i, request in enumerate(requests):
    assert (request.get_result().as_numpy("pixels") == expected[i]).all(), i

print("all as specified")
