"""Directives that print the engines' records, so that the pages cannot differ from the code."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from refquant import engines, oracle
from refquant.engines import Operands, Split
from refquant.engines.arithmetic.axes import AXES
from refquant.engines.arithmetic.known import arithmetic_of
from refquant.engines.registry import built_in
from refquant.engines.rules.pipeline import IN_STEPS
from refquant.engines.steps import CAPABILITIES, STEPS

# The steps into which `product` divides a product, unless it is computed at once, and the axes that
# they alone depend on.
_IN_STEPS = ("bias", "multiplier", "requantize_sum")
_LEFT_OUT = ("scaling", "bias")


def _words(choice):
    rule = choice.rule
    if isinstance(rule, Split) and rule.vector is not rule.tail:
        text = f"``{rule.vector.name}``, tails of less than {rule.block} ``{rule.tail.name}``"
    else:
        text = f"``{rule.vector.name if isinstance(rule, Split) else rule.name}``"
    return text if choice.when is None else f"{text} if {choice.when.name}"


def _rules(record, step):
    """List the rules of a step; those of steps that `product` leaves out are never used."""
    if step in _IN_STEPS and all(c.rule is not IN_STEPS for c in record.steps["product"]):
        return "in ``product``"
    return "; ".join(_words(c) for c in record.steps[step])


def _built_in():
    return [engines.get(name) for name in engines.names()]


class _Generated(SphinxDirective):
    """A directive whose content is reStructuredText made by `lines`."""

    def run(self):
        holder = nodes.container()
        self.state.nested_parse(StringList(self.lines(), source="records"), 0, holder)
        return holder.children

    def lines(self):
        raise NotImplementedError


def _cells(texts):
    return [f"   {'* -' if i == 0 else '  -'} {text}" for i, text in enumerate(texts)]


class EngineSteps(_Generated):
    """A table: each step in which engines differ, and the rule that each engine takes."""

    def lines(self):
        records = _built_in()
        made = [".. list-table::", "   :header-rows: 1", "   :class: rule-table", ""]
        made += _cells(["Step", *(f"``{record.name}``" for record in records)])
        for name, step in STEPS.items():
            cells = [_rules(record, name) for record in records]
            made += _cells([f"``{name}``: {step.meaning}", *cells])
        return made


class EngineLimits(_Generated):
    """A table of what engines do not support."""

    def lines(self):
        made = [".. list-table::", "   :header-rows: 1", ""]
        made += _cells(["Limit", "Engine", "Why"])
        for limit, meaning in CAPABILITIES.items():
            for record in _built_in():
                if limit in record.unsupported:
                    made += _cells([meaning, f"``{record.name}``", record.unsupported[limit]])
        return made


class Rules(_Generated):
    """A list of every rule of every engine: formula and source."""

    def lines(self):
        found = {rule.name: rule for record in _built_in() for rule in record.rules}
        made = []
        for name in sorted(found):
            rule = found[name]
            made += [f"``{name}``", f"   ``{rule.formula}``", "", f"   Source: {rule.source}", ""]
        return made


class ArithmeticAxes(_Generated):
    """A table of the axes of arithmetic: the question, and every answer with its formula."""

    def lines(self):
        made = [".. list-table::", "   :header-rows: 1", "   :class: rule-table", ""]
        made += _cells(["Axis", "Value", "What it means"])
        for axis in AXES.values():
            for index, (value, meaning) in enumerate(axis.values.items()):
                name = f"``{axis.name}``: {axis.question}" if index == 0 else ""
                made += _cells([name, f"``{value}``", f"``{meaning}``"])
        return made


class EnginePoints(_Generated):
    """A table: where each known engine stands on the axes."""

    def lines(self):
        made = [".. list-table::", "   :header-rows: 1", "   :class: rule-table", ""]
        made += _cells(["Engine", *(f"``{name}``" for name in AXES)])
        for engine in built_in():
            point = arithmetic_of(engine)
            at_once = engines.get(engine).rule("product", Operands(bias=True)) is not IN_STEPS
            made += _cells(
                [f"``{engine}``"]
                + [
                    "real numbers"
                    if at_once and name in _LEFT_OUT
                    else f"``{getattr(point, name)}``"
                    for name in AXES
                ]
            )
        return made


class OtherRuntimes(_Generated):
    """A list of the records that stand for other runtimes."""

    def lines(self):
        made = []
        for name in engines.other_runtimes():
            made += [f"``{name}``", f"   {engines.get(name).title}.", ""]
        return made


class KnownIssues(_Generated):
    """A card for each known issue: operands, both answers, verdict and cause."""

    def lines(self):
        made = []
        for issue in oracle.known_issues():
            head, *rows = issue.card().splitlines()
            title = head.removeprefix(f"{issue.thread}: ")
            repository, number = issue.thread.split("#")
            link = f"https://github.com/{repository}/issues/{number}"
            made += [f".. rubric:: {title[0].upper()}{title[1:]}", ""]
            made += [f"`{issue.thread} <{link}>`__; operands: {issue.operands}.", "", "::", ""]
            made += [f"   {row}" for row in rows] + [""]
        return made


def setup(app):
    """Register the directives."""
    app.add_directive("engine-steps", EngineSteps)
    app.add_directive("engine-limits", EngineLimits)
    app.add_directive("engine-rules", Rules)
    app.add_directive("arithmetic-axes", ArithmeticAxes)
    app.add_directive("engine-points", EnginePoints)
    app.add_directive("other-runtimes", OtherRuntimes)
    app.add_directive("known-issues", KnownIssues)
    return {"parallel_read_safe": True}
