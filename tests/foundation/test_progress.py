import io

import pytest

from lab.foundation.progress import ConsoleProgress, SilentProgress, seconds_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (4.24, "4.2 s"), (65, "1 min 05 s"), (3605, "60 min 05 s")]
)
def test_seconds_text(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_one_line_per_finished_step_without_colour_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = ConsoleProgress(stream)
    with progress.step("boot three nodes") as step:
        step.doing("k8s-node1")
        step.advance(1, 3)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "... boot three nodes"
    assert lines[1].startswith("    ok  boot three nodes  0.0 s")
    assert "\x1b" not in stream.getvalue()
    assert [time.name for time in progress.times] == ["boot three nodes"]


def test_a_failed_step_is_shown_and_not_counted() -> None:
    stream = io.StringIO()
    progress = ConsoleProgress(stream)
    with pytest.raises(RuntimeError), progress.step("init"):
        raise RuntimeError
    assert "failed  init" in stream.getvalue()
    assert progress.times == ()


def test_silent_progress_keeps_the_times() -> None:
    progress = SilentProgress()
    with progress.step("a"):
        pass
    assert [time.name for time in progress.times] == ["a"]
