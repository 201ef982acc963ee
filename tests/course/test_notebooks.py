"""Notebooks for students have no solutions, those for teachers run from start to end."""

import contextlib
import io
import json
import re

import pytest
from course.labs import SOURCES, code_of, load_notebooks

from refquant import course, engines

pytestmark = pytest.mark.skipif(not SOURCES, reason="the tests are not in a source tree")
notebooks = load_notebooks() if SOURCES else None
each_lab = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
# Those that .ci/run also runs in Jupyter.
IN_JUPYTER = [source for source in SOURCES if source.stem.startswith(("lab_1", "lab_4"))]


def made(source, solutions):
    return notebooks.notebook(source.read_text(encoding="utf-8"), solutions)


def of_nbgrader(cells):
    return [cell["metadata"]["nbgrader"] for cell in cells if cell["metadata"]]


@each_lab
def test_the_code_of_a_lab_runs_from_start_to_end(source):
    namespace = {"__name__": "__main__"}
    printed = io.StringIO()
    engine = engines.current()
    with contextlib.redirect_stdout(printed), contextlib.ExitStack() as stack:
        stack.callback(engines.use, engine)
        for code in code_of(made(source, solutions=True)["cells"]):
            exec(compile(code, source.name, "exec"), namespace)
    assert namespace["verdict"]
    assert printed.getvalue(), "a lab shows something"


@each_lab
def test_a_lab_asks_all_of_its_questions(source):
    lab = re.match(r"lab_(\d+)_", source.stem)[1]
    expected = [number for number in course.questions() if number.split(".")[0] == lab]
    cells = made(source, solutions=True)["cells"]
    points = [told["grade_id"] for told in of_nbgrader(cells) if told["grade"]]
    assert points == [f"test-{number.replace('.', '-')}" for number in expected]


@each_lab
def test_students_get_no_solutions(source):
    text = source.read_text(encoding="utf-8")
    solutions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", text, re.DOTALL)
    cells = made(source, solutions=False)["cells"]
    everything = "\n".join("".join(cell["source"]) for cell in cells)
    assert "SOLUTION" not in everything
    assert everything.count("raise NotImplementedError()") == len(solutions)
    for solution in solutions:
        assert solution.strip() not in everything
    for code in code_of(cells):
        compile(code, source.name, "exec")
    teacher = made(source, solutions=True)["cells"]
    assert of_nbgrader(cells) == of_nbgrader(teacher)
    assert [cell["id"] for cell in cells] == [cell["id"] for cell in teacher]


@each_lab
def test_cells_are_what_nbgrader_expects(source):
    cells = made(source, solutions=True)["cells"]
    told = of_nbgrader(cells)
    assert len({one["grade_id"] for one in told}) == len(told)
    for one in told:
        assert one["schema_version"] == 3
        assert one["solution"] is not one["grade"]
        assert one["locked"] is one["grade"]
        assert ("points" in one) is one["grade"]


def test_a_student_is_told_that_there_is_no_answer():
    codes = code_of(made(SOURCES[0], solutions=False)["cells"])
    namespace = {}
    exec(codes[0], namespace)
    exec(codes[1], namespace)
    with pytest.raises(AssertionError, match=r"1\.1 is not right yet: there is no answer yet"):
        exec(codes[2], namespace)


def test_files_are_written(tmp_path):
    written = notebooks.write(tmp_path)
    assert len(written) == 2 * len(SOURCES)
    for path in written:
        assert json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4
    assert {path.parent.name for path in written} == {"student", "teacher"}


def test_files_are_valid_notebooks(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    for path in notebooks.write(tmp_path):
        nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("text", ["x = 1\n# %%\n", "# %% 1.1\ndef f(x):\n    return x\n"])
def test_a_source_without_its_marks_is_an_error(text):
    with pytest.raises(ValueError, match=r"instead of a cell|has no solution"):
        notebooks.cells(text, solutions=True)


@pytest.mark.parametrize("source", IN_JUPYTER, ids=lambda source: source.stem)
def test_notebook_of_a_teacher_runs_in_jupyter(source):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.reads(json.dumps(made(source, solutions=True)), as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
