"""Steps of the workflow in any order that is allowed, and what holds after each of them."""

import copy
import io
import pickle

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from workflow.models import FUSE, Net, floats, randomize

import refquant
from refquant import engines, kernels, quantization

ENGINES = st.sampled_from(["fbgemm", "qnnpack", "fbgemm-1.4"])


class Workflow(RuleBasedStateMachine):
    """A model and the stage that it is at."""

    @initialize(engine=ENGINES, seed=st.integers(0, 9))
    def build(self, engine, seed):
        self.engine, self.stage, self.data = engine, "float", False
        self.model = randomize(Net(), seed).eval()

    def under(self, function, *arguments, **keywords):
        with engines.using(self.engine):
            return function(*arguments, **keywords)

    @precondition(lambda self: self.stage == "float")
    @rule()
    def fuse(self):
        self.model = self.under(quantization.fuse_modules, self.model, FUSE)
        self.stage = "fused"

    @precondition(lambda self: self.stage in ("float", "fused"))
    @rule()
    def prepare(self):
        self.model.qconfig = quantization.default_qconfig
        self.model = self.under(quantization.prepare, self.model)
        self.stage = "prepared"

    @precondition(lambda self: self.stage == "prepared")
    @rule(seed=st.integers(0, 99), spread=st.sampled_from([1e-3, 1.0, 50.0]))
    def calibrate(self, seed, spread):
        batch = floats(2, 3, 8, 8, seed=seed, spread=spread)
        self.under(quantization.calibrate, self.model, [batch], progress=False)
        self.data = True

    @precondition(lambda self: self.stage == "prepared" and self.data)
    @rule()
    def convert(self):
        self.model = self.under(quantization.convert, self.model)
        self.stage = "converted"

    @rule()
    def copy(self):
        self.replace(copy.deepcopy(self.model))

    @rule()
    def send(self):
        self.replace(pickle.loads(pickle.dumps(self.model)))

    @rule()
    def save_and_load(self):
        file = io.BytesIO()
        refquant.save(self.model.state_dict(), file)
        file.seek(0)
        other = copy.deepcopy(self.model)
        self.under(other.load_state_dict, refquant.load(file))
        self.replace(other)

    def replace(self, other):
        """The other model gives the same answer; it takes the place of the model."""
        x = floats(2, 3, 8, 8, seed=7)
        before, copied = copy.deepcopy(self.model), copy.deepcopy(other)
        wanted, got = self.under(before, x), self.under(copied, x)
        assert np.array_equal(wanted.detach().numpy(), got.detach().numpy())
        self.model = other

    @precondition(lambda self: self.stage == "converted")
    @rule()
    def kernels_and_definitions_agree(self):
        x, answers = floats(1, 3, 8, 8, seed=3), []
        for choice in {kernels.available()[-1], kernels.REFERENCE}:
            with kernels.using(choice):
                answers.append(self.under(self.model, x).detach().numpy())
        assert all(np.array_equal(answers[0], answer) for answer in answers)

    @invariant()
    def the_choice_of_the_process_stays(self):
        assert engines.current() is engines.default()
        assert kernels.running() in (kernels.current(), kernels.REFERENCE)


TestWorkflow = Workflow.TestCase
TestWorkflow.settings = settings(
    max_examples=5,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
