"""An engine is a frozen record: rules for each step, what it lacks, and its recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from refquant import arguments, html
from refquant.engines.rule import Choice, Form, Operands, Rule, Split
from refquant.engines.workflow import PYTORCH_2_13, Workflow
from refquant.errors import EngineError


@dataclass(frozen=True)
class Engine:
    """All that distinguishes one int8 engine from another, as data.

    Attributes
    ----------
    name : str
        The value of ``refquant.backends.quantized.engine``.
    title : str
        What it is, for people.
    steps : mapping of str to tuple of Choice
        For each step in which engines differ, an ordered list of conditions and rules; the last
        has no condition. See `refquant.engines.steps` for the names.
    unsupported : mapping of str to str
        What the engine does not support, and why. See `refquant.engines.steps`.
    recipe : mapping of str to object
        Its default QConfig: ``activation``, ``weight`` (``'per_tensor'`` or ``'per_channel'``)
        and ``reduce_range``; ``dynamic_reduce_range``: whether dynamic layers quantize their input
        to seven of the eight bits; ``workflow``: the `Workflow` of its release, that of PyTorch
        2.13 if it has none.
    release : str or None
        Release of PyTorch whose engine it is; None for other runtimes and engines of your own.

    Examples
    --------
    >>> from refquant import engines
    >>> record = engines.get('qnnpack')
    >>> record.name, record.recipe['weight']
    ('qnnpack', 'per_tensor')
    """

    name: str
    title: str
    steps: Mapping[str, tuple[Choice, ...]] = field(repr=False)
    unsupported: Mapping[str, str] = field(default_factory=dict, repr=False)
    recipe: Mapping[str, Any] = field(default_factory=dict, repr=False)
    release: str | None = field(default=None, repr=False)
    _found: dict = field(default_factory=dict, repr=False, compare=False, init=False)
    # What operations looked up in the record, by keys of their own.
    plans: dict[tuple, tuple] = field(default_factory=dict, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        for name in ("name", "title"):
            arguments.text(name, getattr(self, name))
        for name in ("steps", "unsupported", "recipe"):
            entries = arguments.mapping(name, getattr(self, name))
            object.__setattr__(self, name, MappingProxyType(dict(entries)))
        for step, choices in self.steps.items():
            # What the others are is checked where the record is registered or chosen.
            last = choices[-1] if isinstance(choices, tuple | list) and choices else None
            if not isinstance(last, Choice) or last.when is not None:
                raise EngineError(
                    f"engine {self.name!r}",
                    argument=f"steps[{step!r}]",
                    expected="a list of choices whose last has no condition",
                    got=arguments.describe(choices),
                    hint="make it with refquant.engines.first_of()",
                )

    def rule(self, step: str, operands: Operands = Operands()) -> Any:  # noqa: B008  immutable
        """Look up the rule, or the `Split` of rules, for a step with these operands.

        Raises
        ------
        EngineError
            If the record has no such step.
        """
        key = (step, operands)
        try:
            found = self._found.get(key)
        except TypeError:  # one of them cannot be hashed, and so is not what it should be
            found = None
        if found is None:
            arguments.instance("operands", operands, Operands, "an Operands")
            found = next(
                c.rule for c in self._choices(step) if c.when is None or c.when.holds(operands)
            )
            self._found[key] = found
        return found

    def _choices(self, step: str) -> tuple[Choice, ...]:
        arguments.text("step", step)
        if step not in self.steps:
            raise EngineError(
                f"engine {self.name!r} has no rule for {step!r}",
                expected=f"one of {', '.join(sorted(self.steps))}",
                hint="add the step to the record, or derive() the record from a complete one",
            )
        return self.steps[step]

    def derive(
        self,
        name: str,
        title: str,
        *,
        steps: Mapping[str, Any] | None = None,
        unsupported: Any = None,
        recipe: Any = None,
        release: Any = None,
    ) -> "Engine":
        """Make a record that differs in some steps, in what it supports or in parts of the recipe.

        Parameters
        ----------
        name, title : str
            Of the new record.
        steps, unsupported, recipe : mapping, optional
            Entries to replace; the others stay. A reason of None means that it is supported.
        release : str, optional
            Release of PyTorch that the new record stands for; none without it.

        Returns
        -------
        Engine
        """
        given = {"steps": steps, "unsupported": unsupported, "recipe": recipe}
        changes = {
            key: {} if value is None else arguments.mapping(key, value)
            for key, value in given.items()
        }
        merged = {**self.unsupported, **changes["unsupported"]}
        return replace(
            self,
            name=name,
            title=title,
            steps={**self.steps, **changes["steps"]},
            unsupported={key: reason for key, reason in merged.items() if reason is not None},
            recipe={**self.recipe, **changes["recipe"]},
            release=release,
        )

    def __copy__(self) -> "Engine":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Engine":
        return self

    @property
    def workflow(self) -> Workflow:
        """What its release does in observers, fake quantization, preparation and conversion."""
        return self.recipe.get("workflow", PYTORCH_2_13)

    @property
    def rules(self) -> tuple[Rule | Form, ...]:
        """Every rule and form that any step may choose, each once."""
        every = (rule for step in self.steps for rule in self.rules_of(step))
        return tuple(dict.fromkeys(every))

    def rules_of(self, step: str) -> tuple[Rule | Form, ...]:
        """Every rule or form that one step may choose; a split has two."""
        found: list[Rule | Form] = []
        for choice in self._choices(step):
            rule = choice.rule
            found += [rule.vector, rule.tail] if isinstance(rule, Split) else [rule]
        return tuple(found)

    def _repr_html_(self) -> str:
        def words(choice: Choice) -> str:
            rule = choice.rule
            text = rule.vector.name if isinstance(rule, Split) else rule.name
            if isinstance(rule, Split) and rule.tail is not rule.vector:
                text += f", tails of less than {rule.block}: {rule.tail.name}"
            return text if choice.when is None else f"{text} if {choice.when.name}"

        rows = [(step, "; ".join(map(words, choices))) for step, choices in self.steps.items()]
        return html.table(("step", "rule"), rows, f"{self.name}: {self.title}")
