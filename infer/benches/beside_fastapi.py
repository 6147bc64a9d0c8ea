#!/usr/bin/env python3
"""`infer serve` beside FastAPI, uvicorn and onnxruntime with the same model, under load on this machine.

    beside_fastapi.py INFER [--seconds 8] [--rounds 3]
    beside_fastapi.py INFER --soak 600

Needs wrk, and fastapi, uvicorn, httptools, uvloop, numpy and onnxruntime of the Python that runs it. Single images
from 16 connections: requests a second and times, both servers in turn, and FastAPI with one worker and with one
for each core. Batches of 64: images a second, beside bare `session.run`. With --soak: mixed load for so many
seconds; memory over time, and whether an answer was lost."""

import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

# As `infer` does for itself: ONNX Runtime tells nobody that it runs.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "models/pretrained/mnist-generator.onnx"
RUNTIME = HERE.parent.parent / "runtime"
CORES = os.cpu_count()
INFER = "/v2/models/mnist-generator/infer"


def start(command, ready, **environment):
    """Starts a server, and waits until it answers."""
    environment = {**os.environ, **environment}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=HERE)
    url = ready(process)
    for _ in range(600):
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD")).close()
        except urllib.error.HTTPError:
            pass
        except OSError:
            time.sleep(0.05)
            continue
        return process, url
    sys.exit(f"{command[0]} doesn't answer")


def serve(infer, *arguments):
    def ready(process):
        line = process.stdout.readline()
        return line.split()[-1] if line.startswith("listening") else sys.exit(line)

    return start([infer, "serve", "--model", str(MODEL), "--listen", "127.0.0.1:0", *arguments], ready)


def fastapi(workers, threads, port):
    command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--workers", str(workers)]
    command += ["--no-access-log", "--log-level", "warning"]
    return start(
        command, lambda _: f"http://127.0.0.1:{port}/docs", MODEL=str(MODEL), THREADS=str(threads)
    )


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait()


def wrk(url, connections, seconds, folder, body=None, paths=None, headers=""):
    """What post.lua says of a load."""
    environment = {**os.environ, "HEADERS": headers}
    for name, contents in (("BODY", body), ("PATHS", paths)):
        if contents is not None:
            file = folder / f"{name}-{threading.get_ident()}"
            file.write_bytes(contents)
            environment[name] = str(file)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(HERE / "post.lua"), url]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(said.splitlines()[-1])


def digits(n):
    z = np.random.default_rng(7).uniform(-1, 1, (n, 100)).astype(np.float32)
    return z, np.arange(n, dtype=np.int64) % 10


def protocol_json(n):
    """A request of the protocol, its tensors as JSON and its answer in binary, as FastAPI's."""
    z, label = digits(n)
    return json.dumps({
        "inputs": [
            {"name": "z", "shape": [n, 100], "datatype": "FP32", "data": z.tolist()},
            {"name": "label", "shape": [n], "datatype": "INT64", "data": label.tolist()},
        ],
        "outputs": [{"name": "image", "parameters": {"binary_data": True}}],
    }).encode()


def protocol_binary(n):
    z, label = digits(n)
    head = json.dumps({
        "inputs": [
            {"name": "z", "shape": [n, 100], "datatype": "FP32", "parameters": {"binary_data_size": z.nbytes}},
            {"name": "label", "shape": [n], "datatype": "INT64", "parameters": {"binary_data_size": label.nbytes}},
        ],
        "outputs": [{"name": "image", "parameters": {"binary_data": True}}],
    }).encode()
    return head + z.tobytes() + label.tobytes(), f"Inference-Header-Content-Length: {len(head)}"


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def singles(infer, seconds, rounds, folder):
    z, label = digits(1)
    plain = json.dumps({"z": z.tolist(), "label": label.tolist()}).encode()
    json_type = "Content-Type: application/json"
    servers = {
        "infer serve": lambda: (*serve(infer), INFER, protocol_json(1)),
        "FastAPI, 1 worker": lambda: (*fastapi(1, 0, 8471), "/infer", plain),
        "FastAPI, 1 worker, 1 thread": lambda: (*fastapi(1, 1, 8472), "/infer", plain),
        f"FastAPI, {CORES} workers, 1 thread each": lambda: (*fastapi(CORES, 1, 8473), "/infer", plain),
    }
    runs = {name: [] for name in servers}
    for _ in range(rounds):
        for name, begin in servers.items():
            process, url, path, body = begin()
            url = re.sub("/docs$", "", url) + path
            wrk(url, 16, 2, folder, body, headers=json_type)
            runs[name].append(wrk(url, 16, seconds, folder, body, headers=json_type))
            stop(process)
    print("single images, 16 connections: requests/s, median and 99 of 100 in ms")
    ours = runs["infer serve"]
    for name, found in runs.items():
        rate = statistics.median(run["requests"] / run["seconds"] for run in found)
        ratio = statistics.median(
            (our["requests"] / our["seconds"]) / (run["requests"] / run["seconds"]) for our, run in zip(ours, found)
        )
        lost = sum(run["lost"] + run["refused"] for run in found)
        print(f"  {name:36} {rate:7.0f}  {median(found, 'p50'):7.1f} {median(found, 'p99'):7.1f}  "
              f"infer serve: {ratio:.2f} x" + (f"  LOST {lost}" if lost else ""))


def batches(infer, seconds, rounds, folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    z, label = digits(64)
    body, header = protocol_binary(64)
    rates, ratios = {1: [], 4: [], "bare": []}, {1: [], 4: []}
    for _ in range(rounds):
        for _ in range(5):
            session.run(["image"], {"z": z, "label": label})
        begun, images = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            session.run(["image"], {"z": z, "label": label})
            images += 64
        bare = images / (time.perf_counter() - begun)
        rates["bare"].append(bare)
        process, url = serve(infer)
        for connections in (1, 4):
            wrk(url + INFER, connections, 2, folder, body, headers=header)
            run = wrk(url + INFER, connections, seconds, folder, body, headers=header)
            rates[connections].append(64 * run["requests"] / run["seconds"])
            ratios[connections].append(rates[connections][-1] / bare)
        stop(process)
    print("batches of 64: images/s, and of bare session.run")
    print(f"  {'session.run':36} {statistics.median(rates['bare']):7.0f}")
    for connections, found in ratios.items():
        name = f"infer serve, {connections} connection{'s' if connections > 1 else ''}"
        print(f"  {name:36} {statistics.median(rates[connections]):7.0f}  {statistics.median(found):.2f} x")


def memory(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


def figures(url):
    text = urllib.request.urlopen(url + "/metrics").read().decode()
    return sum(float(n) for n in re.findall(r'^infer_requests_total\{[^}]*outcome="answered"\} (\S+)', text, re.M))


def soak(infer, seconds, folder):
    process, url = serve(infer)
    paths = b"/digits/2024.png?seed=7\n/digits/5.png?verify=0.9\n/grid.png?rows=4\n/look/walk.gif?stops=3&steps=4\n"
    batch, header = protocol_binary(64)
    results = {}

    def load(name, connections, **request):
        results[name] = wrk(request.pop("url"), connections, seconds, folder, **request)

    loads = [
        ("single images", 8, {"url": url + INFER, "body": protocol_json(1)}),
        ("batches of 64", 2, {"url": url + INFER, "body": batch, "headers": header}),
        ("pictures", 2, {"url": url, "paths": paths}),
    ]
    threads = [threading.Thread(target=load, args=(name, n), kwargs=request) for name, n, request in loads]
    for thread in threads:
        thread.start()
    begun, samples, downloads = time.monotonic(), [], 0
    while any(thread.is_alive() for thread in threads):
        file = urllib.request.urlopen(url + "/dataset.npz?count=500&seed=7").read()
        downloads += 1
        assert len(file) > 500 * 784
        if downloads % 10 == 0:
            process.send_signal(signal.SIGHUP)
        samples.append((time.monotonic() - begun, memory(process)))
        time.sleep(1)
    for thread in threads:
        thread.join()
    time.sleep(1)
    answered, sent = figures(url), sum(run["requests"] for run in results.values()) + downloads
    stop(process)
    print(f"mixed load for {seconds} s; models read anew {downloads // 10} times")
    for name, run in results.items():
        print(f"  {name:16} {run['requests']:8} answered, refused {run['refused']}, lost {run['lost']}, "
              f"p99 {run['p99']:.1f} ms")
    # wrk doesn't count what is under way when it ends: at most one a connection.
    print(f"  answered by the server: {answered:.0f}, received: {sent}, under way at the end: {answered - sent:.0f}")
    for share in (0.1, 0.25, 0.5, 0.75, 1):
        near = [m for t, m in samples if abs(t - share * seconds) < max(0.05 * seconds, 5)]
        print(f"  memory around {share * seconds:4.0f} s: median {statistics.median(near):.1f} MiB, most {max(near):.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("infer", help="the program, a release build")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--soak", type=int, metavar="SECONDS")
    arguments = parser.parse_args()
    library = next(RUNTIME.glob("libonnxruntime.so.*"), None)
    if library:
        os.environ.setdefault("ORT_DYLIB_PATH", str(library))
    infer = str(pathlib.Path(arguments.infer).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if arguments.soak:
            soak(infer, arguments.soak, folder)
        else:
            singles(infer, arguments.seconds, arguments.rounds, folder)
            batches(infer, arguments.seconds, arguments.rounds, folder)


if __name__ == "__main__":
    main()
