"""What differs between releases of the ICESat-2 products: DOI, reference frame, ocean tide model.

Source: version summaries of ATL03 at nsidc.org/data/ATL03. Release 007 moved from ITRF2014 to ITRF2020 (up to 7 mm in
height, most at the poles), and from the tide model GOT4.8 to an extrapolated FES2014b.
"""

from __future__ import annotations

from ..schema import DATUM

NEW_FRAME = "007"
"""First release in ITRF2020 with FES2014b tides."""


def doi(product: str, release: str) -> str:
    """Return the DOI of a product's release.

    Parameters
    ----------
    product : str
        ``ATL03``, ``ATL07`` or ``ATL10``.
    release : str
        Three digits; empty where the file does not say.

    Returns
    -------
    str
        Empty where the release is not known: each has a DOI of its own.
    """
    return f"10.5067/ATLAS/{product}.{release}" if release else ""


def source(product: str, release: str) -> str:
    """Return a line that names a product's release and its DOI.

    Parameters
    ----------
    product, release : str
        As of :func:`doi`.
    """
    if not release:
        return f"ICESat-2 {product}, release unknown"
    return f"ICESat-2 {product} release {release}, doi:{doi(product, release)}"


def datum(release: str) -> str:
    """Return the datum of a release's heights and positions.

    Parameters
    ----------
    release : str
        Three digits; empty where the file does not say.
    """
    if not release:
        return DATUM.replace("ITRF2014", f"ITRF2014 (ITRF2020 from release {NEW_FRAME} on; the file names no release)")
    return DATUM.replace("ITRF2014", "ITRF2020") if release >= NEW_FRAME else DATUM


def tide_model(release: str) -> str:
    """Return the model of the ocean, load and long-period tides that a release of ATL03 carries.

    Parameters
    ----------
    release : str
        Three digits; empty where the file does not say.
    """
    if not release:
        return f"GOT4.8 (extrapolated FES2014b from release {NEW_FRAME} on; the file names no release)"
    return "extrapolated FES2014b" if release >= NEW_FRAME else "GOT4.8"
