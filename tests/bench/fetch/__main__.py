"""`make bench-fetch`: how fast a large model comes from S3, beside Amazon's own client; build/bench-fetch.json.

Both read from one server on this machine and write to one disk, in turns. The fetch container also computes the digest.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from obstore.store import S3Store
from tests.serving.fetching import mount, peak_of
from tests.serving.places import write_secret
from tests.serving.pod import ROOT, Pod
from tests.serving.store_servers import BUCKET, KEYS, output_of, s3

_RESULT = ROOT / "build" / "bench-fetch.json"
_BLOCK = 16 << 20
_MOST_MEMORY = 150
"""MiB of the fetch container."""
_LONGEST = 3600
"""Seconds for one fetch."""
_LEAST_SPEED = 0.8
"""As a share of the other client's."""


def main() -> int:
    """Upload, fetch, print, write.

    Returns:
        0 when memory and speed are as they should be, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=int, default=10, help="size of the model")
    parser.add_argument("--rounds", type=int, default=3, help="how often each client fetches it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-fetch-", dir=ROOT / "build") as made:
        folder = Path(made)
        # The object, its parts while they are put together, and a copy.
        needed, free = 3 * options.gib, shutil.disk_usage(folder).free >> 30
        if free < needed:
            print(f"{options.gib} GiB need {needed} GiB of disk, and {free} are free; choose less with --gib")
            return 2
        with s3(folder / "s3") as server:
            endpoint = f"http://127.0.0.1:{server.behind}"
            digest = _upload(endpoint, options.gib)
            ours, peaks, theirs = [], [], []
            for number in range(options.rounds):
                seconds, peak = _fetch(folder / f"pod-{number}", endpoint, digest, options.gib)
                ours.append(seconds)
                peaks.append(peak)
                theirs.append(_copy(folder, endpoint))
                print(f"round {number + 1}: {ours[-1]:.1f} s beside {theirs[-1]:.1f} s, {peak} MiB", flush=True)
    speed, peak = median(theirs) / median(ours), max(peaks)
    result = {"gib": options.gib, "rounds": options.rounds, "speed_ratio": round(speed, 2), "peak_mib": peak}
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{options.gib} GiB: {speed:.2f} of the speed of aws s3 cp, at most {peak} MiB of memory")
    return 0 if speed >= _LEAST_SPEED and peak <= _MOST_MEMORY else 1


def _upload(endpoint: str, gib: int) -> str:
    """Upload an object that does not compress; return its digest."""
    digest = hashlib.sha256()

    def blocks() -> Iterator[bytes]:
        block = bytearray(os.urandom(_BLOCK))
        for number in range((gib << 30) // _BLOCK):
            block[:8] = number.to_bytes(8, "big")
            digest.update(block)
            yield bytes(block)

    store = S3Store(
        BUCKET,
        endpoint=endpoint,
        access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True, "timeout": "30min"},
    )
    store.put("model.onnx", blocks(), chunk_size=_BLOCK)
    return f"sha256:{digest.hexdigest()}"


def _fetch(folder: Path, endpoint: str, digest: str, gib: int) -> tuple[float, int]:
    """Run the fetch container; return its seconds, and the most MiB that it had in memory."""
    folder.mkdir()
    pod = Pod.create(
        folder,
        MODEL_URI=f"s3://{BUCKET}/model.onnx",
        MODEL_DIGEST=digest,
        MODEL_MAX_SIZE=f"{gib + 1}Gi",
        STORE_ENDPOINT=endpoint,
        FETCH_TIMEOUT="1h",
    )
    mount(pod).mkdir()
    write_secret(pod, KEYS)
    began = time.perf_counter()
    peak = peak_of(pod, within=_LONGEST)
    seconds = time.perf_counter() - began
    shutil.rmtree(folder)
    return seconds, peak


def _copy(folder: Path, endpoint: str) -> float:
    """Run Amazon's client; return its seconds."""
    copy = folder / "copy"
    command = [
        _python(),
        "-m",
        "awscli",
        "--endpoint-url",
        endpoint,
        "s3",
        "cp",
        "--quiet",
        f"s3://{BUCKET}/model.onnx",
    ]
    told: Mapping[str, str] = {**os.environ, **KEYS, "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull}
    began = time.perf_counter()
    subprocess.run([*command, str(copy)], env=told, check=True)
    seconds = time.perf_counter() - began
    copy.unlink()
    return seconds


def _python() -> str:
    return output_of("dev/toolchain/environment.sh requirements/bench/awscli.txt")


if __name__ == "__main__":
    sys.exit(main())
