"""What people write in manifests, and what runtimes make of it."""

from __future__ import annotations

import pytest

from lab.foundation.image_names import ImageName

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("written", "full", "familiar"),
    [
        ("nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"),
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("shop/web:1", "docker.io/shop/web:1", "shop/web:1"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
        ("index.docker.io/shop/web:1", "docker.io/shop/web:1", "shop/web:1"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("10.0.0.1:5000/a/b/c:1", "10.0.0.1:5000/a/b/c:1", "10.0.0.1:5000/a/b/c:1"),
        ("localhost/web:1", "localhost/web:1", "localhost/web:1"),
    ],
)
def test_names(written: str, full: str, familiar: str) -> None:
    name = ImageName.parse(written)
    assert (name.full, name.familiar, str(name)) == (full, familiar, familiar)
    assert ImageName.parse(full) == ImageName.parse(familiar) == name


def test_a_digest_pins_what_the_tag_means() -> None:
    name = ImageName.parse(f"nginx:1.25@{DIGEST}")
    assert (name.full, name.digest) == ("docker.io/library/nginx:1.25", DIGEST)
    assert str(name) == f"nginx:1.25@{DIGEST}"


@pytest.mark.parametrize(
    "wrong",
    ["", "Nginx:1", "nginx:", "nginx:a b", "a//b", "/nginx", "https://docker.io/nginx", "nginx@sha256:1"],
)
def test_what_is_no_name(wrong: str) -> None:
    with pytest.raises(ValueError, match="the name of an image such as"):
        ImageName.parse(wrong)


def test_a_digest_alone_is_no_name_that_a_node_could_keep() -> None:
    with pytest.raises(ValueError, match=f"nginx:TAG@{DIGEST}"):
        ImageName.parse(f"nginx@{DIGEST}")
