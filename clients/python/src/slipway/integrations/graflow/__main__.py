"""Run a script of graflow workflows on Slipway: ``python -m slipway.integrations.graflow SCRIPT [ARGUMENT ...]``."""

from __future__ import annotations

import argparse
import os
import runpy
import sys

from .patching import install


def main() -> None:
    """Install the handler, then run the script as the main program."""
    parser = argparse.ArgumentParser(
        prog="python -m slipway.integrations.graflow", description=__doc__
    )
    parser.add_argument(
        "--map-image", action="append", default=[], metavar="IMAGE[=OTHER]"
    )
    parser.add_argument(
        "-r", "--requirement", action="append", default=[], metavar="REQUIREMENT"
    )
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    images: dict[str, str | None] = {}
    for line in options.map_image:
        name, _, other = line.partition("=")
        images[name] = other or None
    install(images=images, requirements=options.requirement or None)
    sys.argv = [options.script, *options.arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(options.script))
    runpy.run_path(options.script, run_name="__main__")


if __name__ == "__main__":
    main()
