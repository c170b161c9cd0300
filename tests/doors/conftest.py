"""What the tests of doors share with those of the host."""

from tests.host.conftest import labs, make_enclosure

__all__ = ["labs", "make_enclosure"]
