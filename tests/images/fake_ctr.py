"""Stands in for containerd's client: keeps names, labels and snapshots as files of the folder in FAKE_CTR."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

STATE = Path(os.environ["FAKE_CTR"])
NAMES, LABELS, SNAPSHOTS = STATE / "names.json", STATE / "labels.json", STATE / "snapshots"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def read(file: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return known


def snapshot(verb: str, words: list[str]) -> None:
    if verb == "list":
        say("KEY PARENT KIND")
        for each in sorted(SNAPSHOTS.glob("*")):
            say(f"{each.name}  Committed")
        return
    name = words[0]
    if verb == "prepare" and (SNAPSHOTS / name).exists():
        sys.exit(1)
    if verb == "prepare":
        (SNAPSHOTS / name / "fs").mkdir(parents=True)
        say(json.dumps([{"Type": "bind", "Source": str(SNAPSHOTS / name / "fs")}], indent=4))
    elif verb == "commit":
        (SNAPSHOTS / words[1]).rename(SNAPSHOTS / name)
    elif verb == "remove":
        shutil.rmtree(SNAPSHOTS / name)
    elif verb == "label":
        label(words)


def label(words: list[str]) -> None:
    LABELS.write_text(json.dumps({**read(LABELS), words[0]: words[1]}))


def images(verb: str, words: list[str]) -> None:
    names = read(NAMES)
    if verb == "list":
        say("REF TYPE DIGEST SIZE PLATFORMS LABELS")
        for name, digest in names.items():
            say(f"{name} application/vnd.oci.image.manifest.v1+json {digest} 1.2 MiB linux/amd64 -")
    elif verb == "import":
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
            said = next(tar.extractfile(member) for member in tar if member.name == "index.json")
            assert said is not None
            (image,) = json.loads(said.read())["manifests"]
            while sys.stdin.buffer.read(1 << 16):
                pass
        names[image["annotations"]["io.containerd.image.name"]] = image["digest"]
        # As Kubernetes' plugin does.
        names[f"sha256:of-{image['digest']}"] = image["digest"]
        NAMES.write_text(json.dumps(names))
    elif verb == "remove":
        NAMES.write_text(json.dumps({name: names[name] for name in names if name not in words}))


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "overlayfs" and not word.startswith("--")]
    noun, verb, *rest = words
    if noun == "images":
        images(verb, rest)
    elif noun == "snapshots":
        snapshot(verb, rest)
    else:
        label(rest)


if __name__ == "__main__":
    main()
