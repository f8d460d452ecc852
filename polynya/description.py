"""What a network is: one frozen record, written by training and read by checkpoint, export, prediction and model cards.

On disk it is flat JSON: ``NAME.json``, the metadata of ``NAME.safetensors``, and the property ``polynya`` of
``NAME.onnx``. Files of earlier releases hold fewer keys and some that nobody reads any more; they are read as what they
meant then (their last class was the positive one). The union is :data:`AnyDescription`; a family in a file of its own
adds a subclass of :class:`Description` there.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from . import calibrate, families, io, spread
from .errors import ProductError, one_line
from .schema import SURFACE_CLASSES
from .sensors.glaciers import REGIONS
from .targets import AnyTarget, OneOf

VERSION = 1
SURFACE = tuple(name for code, name in SURFACE_CLASSES if code >= 0)
"""Classes of sea-ice segments, in the order of the networks' outputs."""
ROOMS = ("polynya.families", "polynya.models", "polynya.sensors", "polynya.targets")
"""Where the modules lie that a description may name."""
_FAMILIES = {"window": "tracks", "sequence": "tracks", "scene": "scenes"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CalibrationRecord(_Part):
    """Factor and offset per channel; see :class:`polynya.calibrate.Calibration`."""

    method: str = "none"
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    n: int = 0
    temperature: float = 1.0


class ConfidenceRecord(_Part):
    """How probable it is that the named class is right; see :class:`polynya.calibrate.Confidence`."""

    method: Literal["probability", "entropy_kernel"] = "probability"
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    held_out_error: dict[str, float] | None = None


class AreaErrors(_Part):
    """Errors of areas, block by block; see :mod:`polynya.glaciers.intervals`.

    Attributes
    ----------
    between_blocks : float
        Between-block correlation of the errors.
    sd : float
        Within-block size of the errors: 1 where all pixels of a block err together.
    sets : tuple of dict
        The same for each set of scenes it was fitted on.
    """

    between_blocks: float = Field(ge=0, le=1)
    sd: float = Field(gt=0, le=3)
    sets: tuple[dict[str, Any], ...] = ()


class SpreadRecord(_Part):
    """How large errors are where a network states a spread, and intervals; see :class:`polynya.spread.Spread`."""

    stated: tuple[float, ...] = Field(min_length=1)
    error: tuple[float, ...] = Field(min_length=1)
    spread_edges: tuple[float, ...]
    value_edges: tuple[float, ...]
    half_widths: tuple[tuple[tuple[float, ...], ...], ...]
    levels: tuple[float, ...]
    limits: tuple[float, float]
    n: int = 0

    @property
    def fitted(self) -> spread.Spread:
        """What it records."""
        return spread.Spread(**self.model_dump())


class SceneScaling(_Part):
    """Bands of each sensor, in the network's order, and how they are scaled."""

    sensors: dict[str, int] = Field(min_length=1)
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    is_log: tuple[bool, ...] = ()


class Description(BaseModel):
    """What every network says of itself.

    Attributes
    ----------
    description_version : int
        0 for files of releases that wrote none; only these are read as what they meant then.
    name : str
        Of the recipe; names the files.
    kind : str
        Which sort of network of its family.
    family : str
        A file of :mod:`polynya.families`, or a dotted module.
    model : dict
        ``name`` of the architecture, a file of :mod:`polynya.models` or a dotted module, and its settings.
    predicts : target
        See :mod:`polynya.targets`.
    calibration : CalibrationRecord or None
    temperature : float
        Divides the logits inside the graph, or stands for the scaling that does.
    decision_weights : tuple of float or None
        The class is that of the largest ``weight * probability``; equal weights where it is None.
    weights_sha256 : str
    is_drawn : bool
        True for the graph whose dropout draws anew at every call.
    recipe, seed, data, metrics, start_from, teacher, polynya, torch, numpy
        What it was trained by and on, its scores, and the versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    FAMILY: ClassVar[str] = ""
    CLASSES: ClassVar[tuple[str, ...]] = ()

    description_version: int = 0
    name: str = "unnamed"
    kind: str
    family: str
    model: dict[str, Any] = Field(default_factory=dict)
    predicts: AnyTarget
    calibration: CalibrationRecord | None = None
    temperature: float = Field(1.0, gt=0)
    decision_weights: tuple[float, ...] | None = None
    weights_sha256: str = ""
    is_drawn: bool = False
    recipe: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    start_from: dict[str, Any] | None = None
    teacher: dict[str, Any] | None = None
    polynya: str = ""
    torch: str = ""
    numpy: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_releases(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        found = {**given}
        classes = found.pop("classes", list(cls.CLASSES) or None)
        if found.get("description_version"):
            return found
        for name, field in cls.model_fields.items():
            part = _part_of(field.annotation)
            if part is not None and isinstance(found.get(name), dict):
                found[name] = {k: v for k, v in found[name].items() if k in part.model_fields}
        if "predicts" not in found:  # no earlier release wrote it
            found = {k: v for k, v in found.items() if k in cls.model_fields}
            found.setdefault("family", _FAMILIES.get(str(found.get("kind")), cls.FAMILY))
            if not isinstance(classes, (list, tuple)) or len(classes) < 2:
                raise ValueError(f"classes: found {classes}; expected at least two names")
            found["predicts"] = {"kind": "one_of", "classes": classes, "positive": classes[-1]}
        return found

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the planes that the exported graph gives."""
        return self.predicts.planes

    @property
    def positive(self) -> int | None:
        """Number of the positive class, where the target has one."""
        return self.predicts.positive_index if isinstance(self.predicts, OneOf) else None

    @property
    def fitted(self) -> calibrate.Calibration:
        """The calibration, or one that changes nothing."""
        c = self.calibration
        if c is None:
            return calibrate.identity(self.predicts.channels)
        return calibrate.Calibration(method=c.method, scale=c.scale, offset=c.offset, n=c.n)

    def as_json(self) -> dict[str, Any]:
        """Return the flat record that is written: only what is set, with the names of the planes as ``classes``."""
        found = {k: v for k, v in self.model_dump(mode="json").items() if v is not None and v != {}}
        for key in ("weights_sha256", "polynya", "torch", "numpy"):
            if not found[key]:
                found.pop(key)
        if not self.is_drawn:
            found.pop("is_drawn")
        return {**io.plain(found), "description_version": VERSION, "classes": list(self.classes)}


class OfTracks(Description):
    """A network along tracks; see :mod:`polynya.families.tracks`.

    Attributes
    ----------
    kind : str
        ``window`` or ``sequence``.
    features : tuple of str
        Columns, in the graph's order.
    mean, std : tuple of float
        Of each feature in the training part; a missing (NaN) value is replaced by the mean.
    limit : float
        Scaled values are held within +- this.
    cell_m, gap_m : float
        Grid of the segments; neighbours further apart than the gap belong to different pieces. Metres.
    window_length : int
        Segments of a window, odd (``window``).
    stride : int
        Product of the strides (``sequence``).
    halo : int
        Cells on either side that an output can depend on (``sequence``).
    separation : int or None
        Empty cells that keep two pieces apart, where fewer than the halo do, since the network also empties its inner
        layers there (``sequence``).
    """

    FAMILY: ClassVar[str] = "tracks"
    CLASSES: ClassVar[tuple[str, ...]] = SURFACE

    kind: Literal["window", "sequence"]
    family: str = "tracks"
    features: tuple[str, ...] = Field(min_length=1)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    limit: float = 10.0
    cell_m: float = Field(default=2.0, gt=0)
    gap_m: float = Field(default=20.0, gt=0)
    window_length: int = Field(default=5, ge=1)
    stride: int = Field(default=1, ge=1)
    halo: int = Field(default=0, ge=0)
    separation: int | None = Field(default=None, ge=0)

    @property
    def is_window(self) -> bool:
        """Whether it takes windows of segments, not stretches of track."""
        return self.kind == "window"


class OfScenes(Description):
    """A network over scenes; see :mod:`polynya.families.scenes`.

    Attributes
    ----------
    kind : str
        ``scene``.
    scaling : SceneScaling
    limit : float
        Scaled values are held within +- this.
    sensor_table : str
        Which table of :mod:`polynya.sensors` the sensors are of.
    target : str
        Dataset of the tiles that held the labels.
    location_kind : str
        What the network is given of the place: ``none``, ``region`` or ``coordinates``.
    location : int
        Planes of it.
    regions : tuple of str
        Order of the region planes; *unknown* follows.
    size : int
        Side of a training window, pixels.
    stride : int
        Height and width must be multiples of it.
    halo : int
        Pixels around a tile that its output depends on, where the network states it.
    is_fixed : bool
        True where windows must have exactly ``size``.
    confidence : ConfidenceRecord
    areas : AreaErrors or None
        None where they were not fitted.
    spread : dict of str to SpreadRecord
        Of each value that the network gives with its spread, by the value's plane.
    """

    FAMILY: ClassVar[str] = "scenes"

    kind: Literal["scene"]
    family: str = "scenes"
    scaling: SceneScaling
    limit: float = 2.0
    sensor_table: str = "glaciers"
    target: str = ""
    location_kind: Literal["none", "region", "coordinates"] = "none"
    location: int = Field(0, ge=0)
    regions: tuple[str, ...] = tuple(REGIONS)
    size: int = Field(ge=8)
    stride: int = Field(1, ge=1)
    halo: int = Field(0, ge=0)
    is_fixed: bool = False
    confidence: ConfidenceRecord = ConfidenceRecord()
    areas: AreaErrors | None = None
    spread: dict[str, SpreadRecord] = Field(default_factory=dict)


AnyDescription = Annotated[OfTracks | OfScenes, Field(discriminator="kind")]
"""The networks that polynya itself has."""
_OURS: dict[str, type[Description]] = {OfTracks.FAMILY: OfTracks, OfScenes.FAMILY: OfScenes}


SomeDescription = TypeVar("SomeDescription", bound=Description)


@overload
def read(given: dict[str, Any]) -> Description: ...
@overload
def read(given: dict[str, Any], *, wanted: type[SomeDescription]) -> SomeDescription: ...
def read(given: dict[str, Any], *, wanted: type[Description] = Description) -> Description:
    """Return the description that a file holds.

    A file imports nothing: a module of the user's own that it names must have been imported before.

    Parameters
    ----------
    given : dict
        The JSON.
    wanted : type of Description
        Which networks are meant; those of every family by default.

    Raises
    ------
    ProductError
        If it is of another family, a key is missing, unknown or of another type, there is no such family, or it names a
        module outside polynya that is not imported.
    """
    if not isinstance(given, dict):
        raise ProductError(
            f"JSON: found {str(given)[:40]}; expected the description that polynya train writes. Train it again."
        )
    family = str(given.get("family") or _FAMILIES.get(str(given.get("kind")), ""))
    version = given.get("description_version", 0)
    if isinstance(version, (int, float)) and version > VERSION:
        raise ProductError(
            f"description_version: is {version:g}, made by a newer polynya; expected {VERSION} at most. Install it."
        )
    if not family:
        raise ProductError(
            f"kind {given.get('kind')}: no such kind of network; expected one of {', '.join(_FAMILIES)}, or a family."
            " Train or choose another."
        )
    for name in (family, given.get("sensor_table"), *_kinds(given.get("predicts"))):
        must_be_imported(str(name or ""))
    # Prediction needs the description only: the rest of a family brings what training needs.
    found: type[Description] = _OURS[family] if family in _OURS else families.named(family).Description
    if not issubclass(found, wanted):
        raise ProductError(
            f"kind: is {given.get('kind')}, of family {family}; expected a network of {wanted.FAMILY}. Train or choose"
            " another."
        )
    try:
        return found.model_validate(given)
    except ValidationError as error:
        raise ProductError(
            f"{problem(error)}; expected the description that polynya train writes. Train it again."
        ) from error


def _part_of(annotation: Any) -> type[_Part] | None:
    """Return the part that a field holds, or may hold."""
    among = (annotation, *get_args(annotation))
    return next((a for a in among if isinstance(a, type) and issubclass(a, _Part)), None)


def _kinds(target: object) -> list[object]:
    """Return the kinds of a target and of its heads, as a file has them."""
    if not isinstance(target, dict):
        return []
    heads = target.get("heads")
    return [target.get("kind"), *(k for h in (heads.values() if isinstance(heads, dict) else ()) for k in _kinds(h))]


def must_be_imported(name: str) -> None:
    """Reject the name of a module of the user's own that nobody has imported: a file may name it, not import it.

    Parameters
    ----------
    name : str
        As a file holds it; names without a dot are files of polynya's own folders.

    Raises
    ------
    ProductError
        If it is neither ours nor imported.
    """
    is_ours = name.count(".") == 2 and name.rpartition(".")[0] in ROOMS
    if "." in name and not is_ours and name not in sys.modules:
        raise ProductError(
            f"{name}: is a module of your own that is not imported; expected it imported first, since a file may not"
            f" import anything. Write `import {name}` before, if you trust it."
        )


def problem(error: ValidationError | ValueError) -> str:
    """Return where a description does not fit, and why."""
    if not isinstance(error, ValidationError):
        return f"JSON: {one_line(error)}"
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"]) or "JSON"
    return f"{where}: {one_line(ValueError(first['msg'])).removeprefix('ValueError: ')}"


@overload
def from_text(text: str) -> Description: ...
@overload
def from_text(text: str, *, wanted: type[SomeDescription]) -> SomeDescription: ...
def from_text(text: str, *, wanted: type[Description] = Description) -> Description:
    """Return the description of a JSON text; see :func:`read`.

    Parameters
    ----------
    text : str
        The JSON.
    wanted : type of Description
        Which networks are meant; those of every family by default.

    Raises
    ------
    ProductError
        If it is no JSON, or as :func:`read`.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ProductError(
            f"{problem(error)}; expected the description that polynya train writes. Train it again."
        ) from error
    return read(given, wanted=wanted)
