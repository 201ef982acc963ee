"""Labs that check themselves: questions of the course, asked and answered offline.

`question` says what is asked, `check` judges an answer and names the rule that it breaks, `hint`
helps in steps. Each lab is a module with its questions as data; the notebooks are made from
``tutorials/labs``.
"""

from refquant.course.checking import check, hint, question, questions
from refquant.course.records import Verdict

__all__ = ["Verdict", "check", "hint", "question", "questions"]
