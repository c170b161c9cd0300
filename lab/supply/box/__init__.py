"""The box: Debian with all that a Kubernetes node needs, as a vagrant box that boots its kernel directly."""

from lab.supply.box.base import build_base
from lab.supply.box.build import build_box
from lab.supply.box.inputs import box_key, box_keys, settle_runtime
from lab.supply.box.model import Box, all_boxes, find_box, load_box, newest_box, remove_box, take_box

__all__ = [
    "Box",
    "all_boxes",
    "box_key",
    "box_keys",
    "build_base",
    "build_box",
    "find_box",
    "load_box",
    "newest_box",
    "remove_box",
    "settle_runtime",
    "take_box",
]
