"""Sensors of scenes, one table per kind of scene. The folder is the registry: :func:`table` imports ``glaciers`` from
here, and a dotted name such as ``mylab.sensors.lakes`` from where it lies.

A scene is a set of sensors on one grid. In memory a sensor is a float32 array (bands, y, x) in the units of its table,
NaN where it saw nothing. A table says all that readers, quality checks, registration and networks must know of a
sensor, so a new sensor or a new kind of scene is a new table and nothing else. Tables of rows have their vocabulary in
:mod:`polynya.schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .. import modules
from ..errors import UsageError

UNLABELLED = 255
"""Value of a class raster where nothing is known."""
QUANTITIES = (
    *("reflectance", "height", "backscatter", "backscatter_db", "coherence", "brightness_temperature", "other"),
)
"""What a sensor measures. It decides which units a file must state, what registration compares and how values are
scaled: reflectance and coherence are fractions, heights are in metres, backscatter is linear sigma0 (``backscatter_db``
the same in decibels), brightness temperatures are in kelvin. ``other`` is read with the file's own scale and offset."""
PASSES = ("ascending", "descending")
NAMES_MATCH = ("any_word", "first_word", "alone")


@dataclass(frozen=True, kw_only=True)
class Band:
    """One band: its name, unit and meaning, the range of possible values, and what files call it.

    Attributes
    ----------
    name, units, long_name : str
    low, high : float
        Range of physical values. Values beyond are counted by the quality checks, not clipped.
    words : tuple of str
        Words for it in the band names of GeoTIFFs, lower case. Sentinel-2's band names are among them.
    stac_names : tuple of str
        Names in STAC items: common names, band names, asset keys; lower case.
    orbit : str
        ``ascending`` or ``descending`` where bands are passes of one instrument.
    computed : str
        Kind of :class:`polynya.readers.scene_layer.Layer` that computes the band from the sensor's first band where
        no file has it; empty where nothing does.
    """

    name: str
    units: str
    long_name: str
    low: float
    high: float
    words: tuple[str, ...] = ()
    stac_names: tuple[str, ...] = ()
    orbit: str = ""
    computed: str = ""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """One sensor of a scene.

    Attributes
    ----------
    name : str
        ``NAME.tif`` is its file in a scene folder.
    bands : tuple of Band
        In their fixed order.
    quantity : str
        Of :data:`QUANTITIES`.
    is_essential : bool
        Whether its absence is a warning.
    acquisition : str
        Sensors with the same word come from one acquisition: they share its geometry, so one that is misregistered
        takes the others with it. Empty for a sensor on its own.
    roles : tuple of str
        Other words for it in ``role=path``; several sensors may share one.
    names_match : str
        Which word of a band's name must be one of :attr:`Band.words`: ``any_word``, ``first_word``, or ``alone`` (the
        first, and no other word but units).
    excluded_words : tuple of str
        Words that make a band's name something else: ``coherence VV`` is no backscatter.
    file_words : tuple of str
        Words in the name of a file with one unnamed band that say it is this sensor's first.
    band_counts : tuple of int
        How many bands a file may have whose bands have no names; their order is the sensor's. All by default.
    """

    name: str
    bands: tuple[Band, ...]
    quantity: str = "other"
    is_essential: bool = False
    acquisition: str = ""
    roles: tuple[str, ...] = ()
    names_match: str = "alone"
    excluded_words: tuple[str, ...] = ()
    file_words: tuple[str, ...] = ()
    band_counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Reject a word that no part of the program knows: it would be read as nothing.

        Raises
        ------
        UsageError
            If quantity or names_match is unknown.
        """
        for key, value, known in (
            ("quantity", self.quantity, QUANTITIES),
            ("names_match", self.names_match, NAMES_MATCH),
        ):
            if value not in known:
                raise UsageError(
                    f"sensor {self.name}: {key} is {value!r}; expected one of {', '.join(known)}. Change the table."
                )

    @property
    def file_name(self) -> str:
        """Name of its file in a scene folder."""
        return f"{self.name}.tif"

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of its bands."""
        return tuple(b.name for b in self.bands)

    @property
    def has_passes(self) -> bool:
        """Whether its bands are passes of one instrument, of which any may be missing."""
        return any(b.orbit for b in self.bands)

    def place(self, band: str) -> int | None:
        """Return a band's place among the bands, None where the sensor has no such band."""
        return self.band_names.index(band) if band in self.band_names else None

    def places(self, *bands: str) -> tuple[int, ...]:
        """Return the places of those bands that the sensor has."""
        return tuple(self.band_names.index(b) for b in bands if b in self.band_names)


@dataclass(frozen=True, kw_only=True)
class SensorTable:
    """The sensors of one kind of scene.

    Attributes
    ----------
    name : str
        By which :func:`table` finds it.
    sensors : tuple of Sensor
        In their fixed order. The first that a scene has gives the scene its grid.
    regions : mapping of str to str
        Regions that scenes may lie in, to their names; may be empty.
    """

    name: str
    sensors: tuple[Sensor, ...]
    regions: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sensors."""
        return tuple(s.name for s in self.sensors)

    @property
    def roles(self) -> dict[str, tuple[Sensor, ...]]:
        """Words for ``role=path``, each with the sensors it stands for."""
        out: dict[str, tuple[Sensor, ...]] = {s.name: (s,) for s in self.sensors}
        for sensor in self.sensors:
            for role in sensor.roles:
                out[role] = (*out.get(role, ()), sensor)
        return out

    def __iter__(self) -> Iterator[Sensor]:
        return iter(self.sensors)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Sensor:
        for sensor in self.sensors:
            if sensor.name == name:
                return sensor
        raise UsageError(
            f"{name}: no sensor of {self.name} scenes; expected one of {', '.join(self.names)}. Check the name."
        )

    def of(self, quantity: str) -> Sensor | None:
        """Return the first sensor that measures a quantity, None where the table has none.

        Parameters
        ----------
        quantity : str
            Of :data:`QUANTITIES`.
        """
        return next((s for s in self.sensors if s.quantity == quantity), None)

    def name_of(self, quantity: str) -> str:
        """Return the name of :meth:`of`, empty where the table has none."""
        found = self.of(quantity)
        return "" if found is None else found.name

    def same_acquisition(self, name: str) -> tuple[str, ...]:
        """Return the sensors that share a sensor's acquisition, itself among them."""
        word = self[name].acquisition
        return tuple(s.name for s in self.sensors if s.name == name or (word and s.acquisition == word))


def table(name: str) -> SensorTable:
    """Return the sensors of a kind of scene.

    Parameters
    ----------
    name : str
        A module of this folder (``glaciers``), or a dotted name that is imported as written. The module holds
        ``TABLE``.

    Returns
    -------
    SensorTable

    Raises
    ------
    UsageError
        If there is no such module or it holds no table.
    """
    module, found = modules.dotted(name, folder=__name__), modules.find(name, folder=__name__)
    if found is None:
        raise UsageError(
            f"{name}: no table of sensors, {module} cannot be imported; expected a file of polynya/sensors or a dotted"
            " name. Check the name and PYTHONPATH."
        )
    if not isinstance(getattr(found, "TABLE", None), SensorTable):
        raise UsageError(f"{name}: {module} holds no TABLE of sensors; expected a SensorTable. Add one.")
    return found.TABLE
