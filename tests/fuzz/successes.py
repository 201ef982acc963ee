"""Count how often things succeeded by group, and draw more often what succeeded rarely.

Things are operations and groups are engines, or public functions in one group.
"""

import numpy as np

WANTED = 100  # successes of each thing in each group that has it
HOPELESS = 8  # so many tries, each rejected, show that a group does not have a thing
OFTEN = 20.0  # weight of what never succeeded; of what succeeded often enough it is 1
UNKNOWN = 50.0  # how much oftener a thing is drawn while no group is known to have it,
SEARCHED = 100  # at most for so many tries
VAIN = 50 * WANTED  # tries after which what still succeeded rarely is drawn no more often


class Successes:
    """Tries, successes and rejections of each thing in each group.

    Parameters
    ----------
    groups, things : sequence of str
        All of them.
    done : float, default 1.0
        Weight of what succeeded often enough.
    """

    def __init__(self, groups, things, done=1.0):
        self.done = done
        self.groups, self.things = list(groups), list(things)
        self._row = {name: row for row, name in enumerate(self.groups)}
        self._column = {name: column for column, name in enumerate(self.things)}
        shape = len(self.groups), len(self.things)
        self.tried, self.succeeded, self.rejected = (np.zeros(shape, np.int64) for _ in range(3))
        self.weights = np.full(shape, OFTEN * UNKNOWN)

    def add(self, group, thing, succeeded, rejected=False):
        """Count a try; `rejected` says that the group may not have the thing at all."""
        at = self._row[group], self._column[thing]
        self.tried[at] += 1
        self.succeeded[at] += succeeded
        self.rejected[at] += rejected
        first = succeeded and self.succeeded[:, at[1]].sum() == 1
        known = first or self.tried[:, at[1]].sum() == SEARCHED
        for row in range(len(self.groups)) if known else [at[0]]:
            self.weights[row, at[1]] = self._weight(row, at[1])

    def _weight(self, row, column):
        tried, succeeded = int(self.tried[row, column]), int(self.succeeded[row, column])
        rejected_each_time = tried and self.rejected[row, column] == tried
        if rejected_each_time:
            return max(OFTEN / 4**tried, 0.02)
        if succeeded >= WANTED or tried >= VAIN:
            return self.done
        weight = 1 + (OFTEN - 1) * (WANTED - succeeded) / WANTED
        unknown = not self.succeeded[:, column].any() and self.tried[:, column].sum() < SEARCHED
        return weight * UNKNOWN if unknown else weight

    def had(self):
        """Which pairs of group and thing there are: those that were not rejected each time."""
        return (self.rejected < self.tried) | (self.tried < HOPELESS)

    def wanted(self):
        """Whether something is still drawn more often than what succeeded often enough."""
        return bool((self.had() & (self.weights > self.done)).any())

    def rare(self):
        """List (thing, group, successes) of the pairs below `WANTED`, the rarest first."""
        pairs = np.argwhere(self.had() & (self.succeeded < WANTED))
        found = [(self.things[t], self.groups[g], int(self.succeeded[g, t])) for g, t in pairs]
        return sorted(found, key=lambda pair: pair[2])

    def summary(self):
        """Say in a few words how many pairs reached `WANTED`."""
        had = self.had()
        reached = int((had & (self.succeeded >= WANTED)).sum())
        return f"{reached} of {int(had.sum())} succeeded {WANTED} times"

    def draw_pair(self, rng):
        """Draw (group, thing)."""
        index = _drawn(rng, self.weights.ravel())
        return self.groups[index // len(self.things)], self.things[index % len(self.things)]

    def draw(self, rng, group, fitting):
        """Draw a thing of this group, among those where `fitting` is True."""
        return self.things[_drawn(rng, self.weights[self._row[group]] * fitting)]


def _drawn(rng, weights):
    """Draw an index, some more often than others."""
    sums = np.cumsum(weights)
    return int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
