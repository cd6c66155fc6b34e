"""Whether a training that its budget ended was still improving."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ...user_warnings import warn_user

#: Share of the whole decrease of the loss above which the second half of a training counts as
#: still improving. On small tables it separates budgets that are too small, under a constant and
#: under a decaying learning rate; the last epochs alone would not show it if the rate decays to 0.
_SHARE = 0.25

#: Number of epochs over which the loss of a minibatch training is averaged, at most.
_WINDOW = 10


def still_improving(losses: Sequence[float], tol: float) -> bool:
    """Return whether the second half of the epochs brought over a quarter of the decrease.

    Parameters
    ----------
    losses : sequence of float
        The training loss of each epoch.
    tol : float
        Smallest decrease that counts.

    Examples
    --------
    >>> still_improving([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], tol=1e-4)
    True
    >>> still_improving([1.0, 0.5, 0.4, 0.4, 0.4, 0.4], tol=1e-4)
    False
    """
    n = len(losses)
    if n < 2:
        return True  # nothing shows that one epoch is enough
    width = max(1, min(_WINDOW, n // 4))
    middle = (n - 1) // 2
    half = float(np.mean(losses[max(0, middle + 1 - width) : middle + 1]))
    last = float(np.mean(losses[n - width :]))
    return half - last > max(tol, _SHARE * (losses[0] - last))


def warn_of_lbfgs(n_iter: int, max_fun: int) -> None:
    """Warn that L-BFGS has used up its iterations or evaluations before it converged."""
    warn_user(
        f"lbfgs failed to converge after {n_iter} iterations. Increase max_iter, or max_fun "
        f"({max_fun}), or scale the data",
        ConvergenceWarning,
    )


def warn_of_no_criterion(n_iter: int) -> None:
    """Warn of the end of a training at a constant learning rate that nothing could stop earlier."""
    warn_user(
        f"Maximum iterations ({n_iter}) reached and the optimization hasn't converged yet: with "
        'n_iter_no_change=inf and schedule="constant", nothing tells when it has. Give a finite '
        "n_iter_no_change, or a schedule that decays",
        ConvergenceWarning,
    )


def warn_if_still_improving(losses: Sequence[float], max_iter: int, tol: float) -> None:
    """Warn that `max_iter` epochs ended a training whose loss was still falling."""
    if still_improving(losses, tol):
        warn_user(
            f"Maximum iterations ({max_iter}) reached and the optimization hasn't converged yet: "
            f"the training loss was still falling, to {losses[-1]:.4g}. Increase max_iter, or "
            "learning_rate_init",
            ConvergenceWarning,
        )
