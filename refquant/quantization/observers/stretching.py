"""Ranges of histograms: stretching to a whole number of parts, unions, and spreading counts."""

import numpy as np

from refquant import kernels

__all__ = ["plan", "spread", "union"]

# Wider ranges than this many parts of an old bin in a new one: the old range is then narrower
# than a small part of one new bin, and float32 does not hold the number of parts exactly.
MOST_PARTS = 2**24


@np.errstate(all="ignore")
def plan(seen: np.ndarray, ends: np.ndarray, bins: int, upsample_rate: int):
    """Stretch a wider range so that a new bin holds a whole number of parts of old bins.

    Parameters
    ----------
    seen, ends : ndarray of float32, shape (2,)
        The old range, and the wider one that is to be covered.
    bins, upsample_rate : int
        Number of bins, and of parts of an old bin.

    Returns
    -------
    stretched : ndarray of float32, shape (2,)
    downsample_rate : int
        Parts of a new bin.
    start : int
        Parts that lie before the old range.

    None is returned where the old range is too narrow for that, or the new one too wide.
    """
    f32 = np.float32
    part = (seen[1] - seen[0]) / f32(bins * upsample_rate)
    width = ends[1] - ends[0]
    parts_of_range = f32(bins) * part
    if parts_of_range == 0 or width / parts_of_range > MOST_PARTS:
        return None
    downsample_rate = int(np.ceil(width / parts_of_range))
    surplus = f32(downsample_rate) * parts_of_range - width
    half = surplus / f32(2)
    stretched = np.array([ends[0] - half, ends[1] + half], np.float32)
    if not np.isfinite(stretched[1] - stretched[0]):
        return None
    start = int(np.rint((seen[0] - stretched[0]) / part))
    return stretched, downsample_rate, start


def union(one: np.ndarray | None, two: np.ndarray | None) -> np.ndarray | None:
    """Return the ends of the smallest range that contains both; None if either is unknown."""
    return None if one is None or two is None else kernels.min_max(np.concatenate([one, two]))


def spread(counts: np.ndarray, seen: np.ndarray, ends: np.ndarray, bins: int) -> np.ndarray:
    """Count in `bins` bins over `ends` what lies evenly spread in the bins over `seen`."""
    if (seen == ends).all() and bins == len(counts):
        return counts.astype(np.float64)
    total = counts.sum(dtype=np.float64)
    if seen[0] == seen[1]:
        # A single value lies in the bin that a batch of it would be counted in.
        return total * kernels.histogram(
            seen[:1], bins, float(ends[0]), float(ends[1]), True
        ).astype(np.float64)
    old_edges = np.linspace(float(seen[0]), float(seen[1]), len(counts) + 1)
    new_edges = np.linspace(float(ends[0]), float(ends[1]), bins + 1)
    below = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    return np.diff(np.interp(new_edges, old_edges, below))
