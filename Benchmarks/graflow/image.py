"""Make the image on which all three run: the base image with graflow and cloudpickle installed."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import docker

BUNDLE = "/tmp/ca-certificates.crt"


def make_image(
    engine: docker.DockerClient, base: str, graflow: str, cloudpickle: str
) -> str:
    """Return the name of the image, which is made unless it is there.

    Parameters
    ----------
    engine
        The container engine.
    base
        An image with Python and pip.
    graflow, cloudpickle
        The versions to install.
    """
    name = f"slipway-benchmark-graflow:{graflow}"
    if engine.images.list(name=name):
        return name
    # Where a proxy signs for the package index, its certificate is in the host's bundle.
    bundle = Path(
        os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    )
    option = f"--cert {BUNDLE}" if bundle.exists() else ""
    install = "python3 -m pip install --no-cache-dir --break-system-packages --root-user-action=ignore"
    script = (
        f"{install} {option} graflow=={graflow} cloudpickle=={cloudpickle}"
        f" && ln -sf $(command -v python3) /usr/local/bin/python && rm -f {BUNDLE}"
    )
    container = engine.containers.create(base, command=["sh", "-c", script], user="0")
    try:
        if bundle.exists():
            container.put_archive("/tmp", _archive(BUNDLE, bundle.read_bytes()))
        container.start()
        if container.wait()["StatusCode"] != 0:
            raise RuntimeError(
                f"the image cannot be made: {container.logs().decode()[-2000:]}"
            )
        # The command of the last step must not be that of the image.
        container.commit(*name.split(":"), changes='CMD ["python3"]')
    finally:
        container.remove(force=True)
    return name


def _archive(path: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(Path(path).name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
