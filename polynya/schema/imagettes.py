"""The vocabulary of wave-mode imagettes: one record for all products, the ten phenomena, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from . import arrow
from .records import Note, TableSpec, Variable, variable

F4, F8, I1, TEXT = pa.float32(), pa.float64(), pa.int8(), pa.string()
PRESENT, ABSENT, UNKNOWN = 1, 0, -1
PHENOMENA = (
    ("POW", "pure_ocean_waves"),
    ("WS", "wind_streaks"),
    ("MCC", "micro_convective_cells"),
    ("RC", "rain_cells"),
    ("BS", "biological_slicks"),
    ("SI", "sea_ice"),
    ("IB", "icebergs"),
    ("LWA", "low_wind_area"),
    ("AF", "atmospheric_front"),
    ("OF", "oceanic_front"),
)
"""Short and full names of the ten phenomena, in the order of TenGeoP-SARwv's letters F to O."""
SHORT_NAMES = tuple(short for short, _ in PHENOMENA)
TAGS = tuple(name for _, name in PHENOMENA)
"""Full names: the labels of a network."""
STATES = ((PRESENT, "present"), (ABSENT, "absent"), (UNKNOWN, "unknown"))
SIGMA0, ROUGHNESS, GREY = "sigma0", "roughness", "grey"
"""Quantities of a picture: sigma nought; sigma nought over the model's at 10 m/s; stretched or unknown values."""
IS_SIMULATED, NO_PIXEL_SIZE, UNREADABLE = "simulated", "pixel_size", "unreadable"
"""Codes of notes that decide something: no satellite took it; its pixel sizes are a guess; its picture is damaged."""

WHERE: tuple[Variable, ...] = (
    variable("name", TEXT, "", "name of the imagette, the file name without its extension"),
    variable("source", TEXT, "", "file or product that holds it"),
    variable("product", TEXT, "", "kind of product"),
    variable("time", pa.timestamp("ns", tz="UTC"), "", "start of the acquisition, UTC", standard_name="time"),
    variable("satellite", TEXT, "", "satellite"),
    variable("beam", TEXT, "", "beam, wv1 or wv2; empty where unknown"),
    variable("polarisation", TEXT, "", "polarisation, VV or HH; empty where unknown"),
    variable("absolute_orbit", pa.int32(), "1", "absolute orbit number, -1 where unknown"),
    variable("latitude", F8, "degrees_north", "latitude of the middle", standard_name="latitude"),
    variable("longitude", F8, "degrees_east", "longitude of the middle, -180 to 180", standard_name="longitude"),
    variable("corner_latitude", pa.list_(F8), "degrees_north", "latitudes of the footprint's corners, in order"),
    variable("corner_longitude", pa.list_(F8), "degrees_east", "longitudes of the same corners"),
    variable("incidence_angle", F8, "degree", "mean incidence angle, from the normal of the ellipsoid"),
    variable("heading", F8, "degree", "direction of flight, clockwise from north"),
    variable("quantity", TEXT, "", "what the picture holds: sigma0, roughness or grey"),
    variable("rows", pa.int32(), "1", "lines of the picture, along the flight"),
    variable("columns", pa.int32(), "1", "samples of the picture, across the flight"),
    variable("azimuth_pixel", F8, "m", "distance between two lines on the ground"),
    variable("range_pixel", F8, "m", "distance between two samples on the ground"),
)
IMAGETTES = TableSpec(
    name="imagettes",
    title="Wave-mode imagettes and what is known of the phenomena in them",
    variables=(*WHERE, *(variable(t, I1, "1", f"whether the imagette shows {t}", flags=STATES) for t in TAGS)),
)


def known_tags(present: Sequence[str], *, absent: Sequence[str] = ()) -> np.ndarray:
    """Return tags of which some are known.

    Parameters
    ----------
    present, absent : sequence of str
        Short or full names of phenomena.

    Returns
    -------
    numpy.ndarray of int8, shape (10,)
        1 present, 0 absent, -1 unknown.

    Raises
    ------
    KeyError
        If a name is none of the ten.
    """
    place = {n: k for k, pair in enumerate(PHENOMENA) for n in pair}
    tags = np.full(len(TAGS), UNKNOWN, np.int8)
    for names, state in ((absent, ABSENT), (present, PRESENT)):
        for name in names:
            tags[place[name]] = state
    return tags


@dataclass(frozen=True, kw_only=True, eq=False)
class Imagette:
    """One wave-mode image with what its product says of it, equal for all products.

    What is not known is NaN, NaT or an empty text; the footprint then has no corner.

    Attributes
    ----------
    name : str
        File name without its extension.
    source, product : str
        File or product that holds it, and the kind of product.
    picture : numpy.ndarray of float32, shape (rows, columns)
        Lines along the flight, samples across it. No rows where only the footprint was read.
    quantity : str
        ``sigma0`` or ``roughness``, linear; ``grey`` where values are stretched or of unknown meaning.
    azimuth_pixel_m, range_pixel_m : float
        Distances between lines and between samples on the ground, m.
    mask : numpy.ndarray of bool, shape (rows, columns)
        True where the picture is valid.
    time : numpy.datetime64
        Start, UTC, ns.
    satellite, beam, polarisation : str
        ``S1A``; ``wv1`` or ``wv2``; ``VV`` or ``HH``.
    absolute_orbit : int
        -1 where unknown. Imagettes of one orbit are no independent samples.
    latitude, longitude : float
        Of the middle, degrees.
    footprint : numpy.ndarray of float64, shape (n, 2)
        Longitude and latitude of the corners, degrees, not closed.
    incidence_angle, heading : float
        Degrees.
    tags : numpy.ndarray of int8, shape (10,)
        1 present, 0 absent, -1 unknown, in the order of :data:`TAGS`.
    labels : tuple of str
        The source's own labels as it writes them.
    notes : tuple of Note
    file : str
        File of the picture, relative to the source; empty for imagettes of a product.
    """

    name: str
    source: str
    product: str
    picture: np.ndarray
    quantity: str
    azimuth_pixel_m: float
    range_pixel_m: float
    mask: np.ndarray
    time: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT", "ns"))
    satellite: str = ""
    beam: str = ""
    polarisation: str = ""
    absolute_orbit: int = -1
    latitude: float = np.nan
    longitude: float = np.nan
    footprint: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    incidence_angle: float = np.nan
    heading: float = np.nan
    tags: np.ndarray = field(default_factory=lambda: np.full(len(TAGS), UNKNOWN, np.int8))
    labels: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    file: str = ""

    @property
    def has_level(self) -> bool:
        """Whether mean and standard deviation of the picture mean something: not so where it is stretched."""
        return self.quantity != GREY

    @property
    def group(self) -> str:
        """The orbit that it was taken in, by which samples are split; its name where the orbit is not known."""
        return f"{self.satellite}-{self.absolute_orbit:06d}" if self.absolute_orbit >= 0 else self.name

    @property
    def is_simulated(self) -> bool:
        """Whether no satellite took it."""
        return self.has_note(IS_SIMULATED)

    @property
    def has_pixel_size(self) -> bool:
        """Whether the distances between pixels are known, not a guess."""
        return not self.has_note(NO_PIXEL_SIZE)

    @property
    def is_readable(self) -> bool:
        """Whether its picture could be read."""
        return not self.has_note(UNREADABLE)

    def has_note(self, code: str) -> bool:
        """Return whether it has a note of a code."""
        return any(n.code == code for n in self.notes)

    def unreadable(self, error: Exception) -> Imagette:
        """Return it without its picture, which cannot be read.

        Parameters
        ----------
        error : Exception
            Why.
        """
        why = Note(code=UNREADABLE, text=str(error))
        blank = np.empty((0, 0), np.float32)
        return replace(self, picture=blank, mask=np.empty((0, 0), bool), notes=(*self.notes, why))


def table_of(imagettes: Sequence[Imagette]) -> pa.Table:
    """Return one row per imagette, without the pictures.

    Parameters
    ----------
    imagettes : sequence of Imagette
        Any number.

    Returns
    -------
    pyarrow.Table
        Of :data:`IMAGETTES`; notes of all in its metadata.
    """
    rows = list(imagettes)
    texts = ("name", "source", "product", "satellite", "beam", "polarisation", "quantity")
    numbers = ("absolute_orbit", "latitude", "longitude", "incidence_angle", "heading")
    columns: dict[str, object] = {n: [getattr(i, n) for i in rows] for n in texts}
    columns |= {n: np.array([getattr(i, n) for i in rows], F8.to_pandas_dtype()) for n in numbers}
    columns["time"] = np.array([i.time for i in rows], "datetime64[ns]")
    for k, name in enumerate(("corner_longitude", "corner_latitude")):
        columns[name] = [i.footprint[:, k].tolist() for i in rows]
    columns["rows"] = np.array([i.picture.shape[0] for i in rows], np.int32)
    columns["columns"] = np.array([i.picture.shape[1] for i in rows], np.int32)
    columns["azimuth_pixel"] = np.array([i.azimuth_pixel_m for i in rows], np.float64)
    columns["range_pixel"] = np.array([i.range_pixel_m for i in rows], np.float64)
    tags = np.array([i.tags for i in rows], np.int8).reshape(len(rows), len(TAGS))
    columns |= {name: tags[:, k] for k, name in enumerate(TAGS)}
    notes = sorted({(n.code, n.text) for i in rows for n in i.notes})
    about: dict[str, object] = {"notes": json.dumps([text for _, text in notes])}
    return arrow.table(IMAGETTES, columns, about=about)
