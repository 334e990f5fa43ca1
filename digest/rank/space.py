"""Meanings as the archive sees them: where its middle is, and in which directions it spreads.

Rows come from an embedding model and are taken about the archive's middle, so that a likeness says
more than "also a paper". Without a model rows have no columns, and everything here is nothing.
Pure NumPy; made once a day by Ranker.
Source: one shared covariance with a ridge is linear discriminant analysis, Hastie, Tibshirani,
Friedman, "The Elements of Statistical Learning", 2009, chapter 4.3.
"""

from __future__ import annotations

import numpy as np

from digest.rank.lexicon import Floats

#: texts that an assumed even spread around nothing weighs, while the archive is small
PRIOR_TEXTS = 50.0
#: the ridge, in mean variances of a direction: what many examples need, and what one needs more
RIDGE, RIDGE_OF_ONE = 2.0, 24.0
#: partly whitened: each direction is divided by its variance to that power
SOFTENED = 0.25
#: added to every variance before, in mean variances
FLOOR = 0.1


def unit_rows(rows: Floats) -> Floats:
    """Rows brought to length 1; what has no length, or is no number, becomes zeros."""
    squares = np.asarray(np.einsum("ij,ij->i", rows, rows))
    usable = np.isfinite(squares) & (squares > 0)
    lengths = np.sqrt(np.where(usable, squares, 1.0))[:, None]
    return np.asarray(np.where(usable[:, None], rows, 0.0) / lengths, np.float32)


class Space:
    """The archive's middle and spread; `rows` are a model's vectors of archive texts (n × d)."""

    def __init__(self, rows: Floats) -> None:
        told = unit_rows(rows)
        told = told[np.flatnonzero(told.any(axis=1))]
        count = len(told) + PRIOR_TEXTS
        self.dimension: int = rows.shape[1]
        self._middle = told.sum(axis=0) / np.float32(count)
        centred = self.centre(told)
        self._usual = centred.sum(axis=0) / np.float32(count)
        apart = (centred - self._usual).astype(np.float64)
        even = np.eye(self.dimension) * (PRIOR_TEXTS / max(self.dimension, 1))
        variances, axes = np.linalg.eigh((apart.T @ apart + even) / count)
        self._axes = axes.astype(np.float32)
        self._mean_variance = float(variances.mean()) if variances.size else 1.0
        self._variances = np.maximum(variances, 0.0)
        soft = (self._variances + FLOOR * self._mean_variance) ** -SOFTENED
        self._softening = (axes * soft).astype(np.float32)

    def centre(self, rows: Floats) -> Floats:
        """A model's vectors about the archive's middle, length 1; zeros stay zeros."""
        told = unit_rows(rows)
        return unit_rows(np.where(told.any(axis=1, keepdims=True), told - self._middle, 0.0))

    def soften(self, centred: Floats) -> Floats:
        """Centred rows with the archive's own spread partly taken out, length 1.

        What sets a paper apart then counts more beside what its whole field has in common.
        """
        return unit_rows(centred @ self._softening)

    def toward(self, means: Floats, examples: Floats) -> Floats:
        """The directions in which the archive has more of what is meant (tastes × d), length 1.

        `means` are means of centred rows, of so many equal `examples` each; 0 gives zeros.
        """
        told = np.asarray(examples > 0)
        ridge = RIDGE + RIDGE_OF_ONE / np.where(told, examples, 1.0)
        spread = self._variances + (ridge * self._mean_variance)[:, None]
        along = ((means - self._usual) @ self._axes) / spread
        found = unit_rows(along.astype(np.float32) @ self._axes.T)
        found[~told] = 0.0
        return found
