"""What is wrong with an answer to a question about Services."""

from __future__ import annotations

from acceptance.expectations import ServiceReach
from acceptance.probes import Answer
from acceptance.questions import ServiceQuestion


def wrong_answer(
    question: ServiceQuestion, answer: Answer, expected: ServiceReach, backend: str
) -> str | None:
    """How the answer differs from what is expected; None when it is right.

    `backend` is the name of the pod behind the Service.
    """
    if not answer.asked:
        return f"not asked: {answer.error}"
    if not expected.answers:
        because = f" ({expected.because})" if expected.because else ""
        return f"answered {answer.body}, but no answer is expected{because}" if answer.answered else None
    if not answer.answered:
        return f"no answer: {answer.error}"
    wanted = backend if question.by_backend else question.of_pod
    if wanted and answer.body != wanted:
        return f"{answer.body} answered, expected {wanted}"
    return None
