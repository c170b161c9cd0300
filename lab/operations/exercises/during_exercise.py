"""While an exercise runs in a lab, no command may say what is wrong there."""

from __future__ import annotations

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.state.exercise import read_exercise


def refuse_during_exercise(folder: LabFolder, why: str) -> None:
    """Raises WrongUseError while one runs; `why` is what the command would do, after "it would"."""
    record = read_exercise(folder)
    if record is not None:
        raise WrongUseError(
            f"the exercise {record.name} runs in the lab {folder.name}, and this command would {why}",
            resolution="`lab exercise check` says what fails, `lab exercise stop` ends the exercise",
        )
