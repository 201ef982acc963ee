"""What succeeded rarely is drawn more often, until everything succeeded often enough."""

import numpy as np
from fuzz.successes import HOPELESS, WANTED, Successes

THINGS = ["always", "seldom", "never"]


def drawn(made, count=2000):
    """How often each thing of the first group is drawn."""
    rng, everything = np.random.default_rng(1), np.ones(len(made.things), bool)
    names = [made.draw(rng, made.groups[0], everything) for _ in range(count)]
    return {name: names.count(name) for name in made.things}


def test_successes_rejections_and_other_failures_are_counted():
    made = Successes(["one", "other"], THINGS)
    for _ in range(WANTED):
        made.add("one", "always", True)
    for _ in range(HOPELESS):
        made.add("one", "never", False, rejected=True)
    made.add("one", "seldom", True)
    made.add("other", "seldom", False)
    assert made.tried.tolist() == [[WANTED, 1, HOPELESS], [0, 1, 0]]
    assert made.succeeded.tolist() == [[WANTED, 1, 0], [0, 0, 0]]
    # What was rejected each time is not there; what failed otherwise, or was not tried, may be.
    expected = [("seldom", "one", 1)]
    assert made.rare()[-1:] == expected
    assert {pair[:2] for pair in made.rare()[:-1]} == {(name, "other") for name in THINGS}
    assert made.summary() == f"1 of 5 succeeded {WANTED} times"


def test_what_succeeded_rarely_is_drawn_more_often():
    made = Successes(["one"], THINGS)
    for _ in range(WANTED):
        made.add("one", "always", True)
    made.add("one", "seldom", True)
    for _ in range(HOPELESS):
        made.add("one", "never", False, rejected=True)
    times = drawn(made)
    assert times["seldom"] > 10 * times["always"] > 10 * times["never"]


def test_what_has_succeeded_nowhere_yet_is_drawn_more_often_everywhere():
    made = Successes(["one", "other"], THINGS)
    for thing in ("always", "seldom"):
        made.add("other", thing, True)
    times = drawn(made)
    assert times["never"] > 2 * times["always"]
    made.add("other", "never", True)
    assert drawn(made)["never"] < times["never"] / 2


def test_only_what_fits_is_drawn():
    made = Successes(["one"], THINGS)
    fits = np.array([False, True, False])
    rng = np.random.default_rng(2)
    assert {made.draw(rng, "one", fits) for _ in range(100)} == {"seldom"}
    assert {made.draw_pair(rng)[1] for _ in range(100)} == set(THINGS)


def test_all_reach_the_number_although_they_succeed_with_different_chances():
    made, rng = Successes(["one", "other"], THINGS), np.random.default_rng(3)
    chances = {"always": 1.0, "seldom": 0.2}
    for _ in range(3500):
        group, thing = made.draw_pair(rng)
        has = thing in chances
        made.add(group, thing, has and rng.random() < chances[thing], rejected=not has)
    assert made.rare() == []
    assert made.summary() == f"4 of 4 succeeded {WANTED} times"
