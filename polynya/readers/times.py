"""Times in metadata: ISO 8601 text as UTC."""

from __future__ import annotations

import datetime as dt

import numpy as np

from ..errors import ProductError


def utc(text: str, *, name: str) -> np.datetime64:
    """Return ISO 8601 text as UTC, ns.

    Parameters
    ----------
    text : str
        Such as 2019-11-04T19:52:01Z; without a zone it is UTC.
    name : str
        Of the file, for the message.

    Raises
    ------
    ProductError
        If it is no time.
    """
    try:
        when = dt.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except (ValueError, AttributeError) as error:
        raise ProductError(
            f"{name}: time {text!r}; expected UTC like 2019-11-04T19:52:01Z. Set it right in the file."
        ) from error
    return np.datetime64((when.astimezone(dt.UTC) if when.tzinfo else when).replace(tzinfo=None), "ns")
