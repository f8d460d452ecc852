"""The surface of an image: class of every pixel, and its brightness and colour under a high sun without air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .fields import rough, share_above
from .polygons import mix, polygons, unit
from .presets import LAND, POND, POND_GRID, THICK, THIN, WATER, Ranges

LEVELS = 7
"""Sizes of floes, each half of the one before."""
BANDS = ("red", "green", "blue", "nir")
SNOW = np.array([0.98, 1.0, 1.0, 0.93])
"""Colour of snow, relative to its brightest band."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What lies there.

    Attributes
    ----------
    classes : numpy.ndarray of uint8, shape (h, w)
        Codes of :mod:`presets`.
    counts : numpy.ndarray of float32, shape (4, h, w)
        Red, green, blue and near infrared, counts of eight bits, not rounded.
    relief : numpy.ndarray of float32, shape (h, w)
        What casts shadows, pixels.
    about : dict
        Numbers that were drawn.
    """

    classes: np.ndarray
    counts: np.ndarray
    relief: np.ndarray
    about: dict[str, float]


def between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """Return a number drawn evenly."""
    return float(rng.uniform(*ends))


def draw(rng: np.random.Generator, shape: tuple[int, int], *, kind: str, ranges: Ranges) -> Surface:
    """Draw a surface.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    shape : tuple of int
        Rows and columns.
    kind : str
        One of ``presets.KINDS``.
    ranges : Ranges
        From where to where numbers are drawn.
    """
    about: dict[str, float] = {}
    water, brown = _water(rng, shape, ranges=ranges, about=about)
    classes, counts, relief = np.zeros(shape, np.uint8), water, np.zeros(shape, np.float32)
    if kind != "water":
        ice = _Ice(rng, shape, kind=kind, ranges=ranges, about=about)
        classes, relief = ice.classes(rng), ice.relief
        counts = np.where(classes != WATER, ice.counts(rng, classes), water)
        counts = _brash(rng, counts, classes, ice=ice)
    if kind == "coast":
        classes, counts, relief = _land(rng, classes, counts, relief, brown=brown, about=about)
    return Surface(classes=classes, counts=counts.astype(np.float32), relief=relief, about=about)


def _water(rng, shape, *, ranges: Ranges, about: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return counts of open water, and the brown of its sediment."""
    level, blue = between(rng, ranges.water), between(rng, (1.1, 1.6))
    about["water"] = level
    waves = level * (1.0 + 0.12 * rough(rng, shape, exponent=2.5, longest_px=300.0) + rng.normal(0, 0.04, shape))
    colour = np.array([1.0 / blue, 0.5 + 0.5 / blue, 1.0, 0.45])[:, None, None]
    brown = np.zeros(shape, np.float32)
    if rng.random() < ranges.turbid_scenes:
        about["turbid"] = between(rng, ranges.turbid)
        brown = about["turbid"] * np.clip(0.6 + 0.5 * rough(rng, shape, exponent=3.0, longest_px=400.0), 0.0, 1.2)
    mud = np.array([1.0, 0.85, 0.55, 0.35])[:, None, None] * brown
    return np.maximum(waves, 1.0) * colour + mud, brown


class _Ice:
    """Floes of a power law, leads between them, ponds on them."""

    def __init__(self, rng, shape, *, kind: str, ranges: Ranges, about: dict[str, float]):
        self.shape, self.kind, self.ranges, self.about = shape, kind, ranges, about
        self.key = int(rng.integers(2**40))
        about["exponent"] = between(rng, ranges.exponent)
        about["largest_px"] = float(np.exp(between(rng, tuple(np.log(ranges.largest_px)))))
        low = 0.75 if kind in ("pack", "coast") else ranges.concentration[0]
        about["concentration"] = between(rng, (low, ranges.concentration[1]))
        about["thin_share"] = between(rng, ranges.thin_share)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
        bend = [rough(rng, shape, exponent=4.5, longest_px=80.0) * 4.0 for _ in range(2)]
        self.turn = rng.uniform(0, np.pi)
        self.y = (y + bend[0]) * np.cos(self.turn) - (x + bend[1]) * np.sin(self.turn)
        self.x = (y + bend[0]) * np.sin(self.turn) + (x + bend[1]) * np.cos(self.turn)
        self.field = rough(rng, shape, exponent=3.5, longest_px=1.5 * max(shape))
        self._floes(rng)

    def _floes(self, rng) -> None:
        """Find the floe of every pixel: the largest polygon that is not broken into smaller ones."""
        about = self.about
        own, open_, inside = np.zeros(self.shape, np.uint64), np.ones(self.shape, bool), np.zeros(self.shape)
        width, middle = np.zeros(self.shape), np.zeros(self.shape)
        size = about["largest_px"]
        # floes of half the width are 2 ** exponent times as many and hold 2 ** (exponent - 2) times the area
        area = np.array([2.0 ** (k * (about["exponent"] - 2.0)) for k in range(LEVELS)])
        if self.kind == "marginal":
            area[:2] *= 0.3
        kept = area / np.cumsum(area[::-1])[::-1]
        for level in range(LEVELS):
            if size < 5.0 and level:
                break
            found = polygons(self.y, self.x, size=size, key=self.key + level)
            last = level == LEVELS - 1 or size < 10.0
            here = open_ & ((unit(mix(found.own)) < kept[level]) | last)
            own[here], inside[here], width[here] = found.own[here], found.border[here], size
            middle[here] = self._field_at(found.y[here], found.x[here])
            open_ &= ~here
            size *= 0.5
        self.own, self.border, self.width, self.middle = own, inside, width, middle
        self.relief = np.zeros(self.shape, np.float32)

    def _field_at(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the smooth field at turned places; that of the border beyond it."""
        down = y * np.cos(self.turn) + x * np.sin(self.turn)
        along = x * np.cos(self.turn) - y * np.sin(self.turn)
        rows, columns = self.shape
        return self.field[np.clip(down, 0, rows - 1).astype(np.int64), np.clip(along, 0, columns - 1).astype(np.int64)]

    def classes(self, rng) -> np.ndarray:
        """Return water, thin ice, thick ice and ponds."""
        about, ranges = self.about, self.ranges
        cover = np.clip(about["concentration"] + 0.6 * self.middle * (1.0 - about["concentration"]), 0.0, 1.0)
        there = unit(mix(self.own ^ np.uint64(7))) < cover
        gap = between(rng, (0.2, 1.6)) * np.where(self.kind == "pack", 0.5, 1.0)
        round_ = np.where(self.width > 12.0, 0.03, 0.08) * self.width * (1.0 - about["concentration"] + 0.2)
        ragged = 0.5 * rough(rng, self.shape, exponent=3.0, longest_px=16.0)
        there &= self.border > gap + round_ + ragged * np.minimum(1.0, 0.05 * self.width)
        clump = self._clumped(self.own)
        thin = there & (clump < about["thin_share"])
        found = np.where(there, np.where(thin, THIN, THICK), WATER).astype(np.uint8)
        young = rng.random() < 0.5  # the gaps between floes are freezing over
        if young:
            new = share_above(rough(rng, self.shape, exponent=3.0, longest_px=150.0), between(rng, (0.2, 0.9)))
            found[(found == WATER) & new] = THIN
            about["refrozen"] = 1.0
        self._leads(rng, found)
        if self.kind == "melt" or rng.random() < 0.25:
            least = 0.25 * ranges.ponds[1] if self.kind == "melt" else ranges.ponds[0]
            about["ponds"] = between(rng, (least, ranges.ponds[1]))
            pond = share_above(
                rough(rng, self.shape, exponent=3.0, longest_px=between(rng, (8.0, 40.0))), about["ponds"]
            )
            found[pond & (found == THICK) & (self.border > 2.0)] = POND
        return found

    def _clumped(self, own: np.ndarray) -> np.ndarray:
        """Return a number of [0, 1) per floe that goes with a smooth field: young floes lie together."""
        return 0.5 * unit(mix(own ^ np.uint64(11))) + 0.25 * (1.0 + np.tanh(1.5 * self.middle))

    def _leads(self, rng, found: np.ndarray) -> None:
        """Cut leads of three sizes, some refrozen; widths as their number falls with the square."""
        for level, spacing in enumerate((260.0, 110.0, 45.0)):
            net = polygons(self.y, self.x, size=spacing, key=self.key + 100 + level)
            likely = between(rng, (0.05, 0.45))
            z = net.edge
            u = unit(mix(z))
            least, most = 1.0, 0.09 * spacing
            width = 1.0 / (1.0 / least + u * (1.0 / most - 1.0 / least))
            lead = (unit(z) < likely) & (net.border < 0.5 * width)
            frozen = unit(mix(z ^ np.uint64(5))) < 0.5
            found[lead & (found != WATER)] = WATER
            found[lead & frozen] = THIN

    def counts(self, rng, classes: np.ndarray) -> np.ndarray:
        """Return counts of the ice, shape (4, h, w)."""
        ranges, about, shape = self.ranges, self.about, self.shape
        floe = unit(mix(self.own ^ np.uint64(3)))
        low, high = sorted(between(rng, ranges.thick) for _ in range(3))[1:]  # dull snow is rarer than bright
        about["thick_low"], about["thick_high"] = low, high
        snow = low + (high - low) * floe + 6.0 * rough(rng, shape, exponent=2.2, longest_px=60.0) + self._ridges(rng)
        low, high = sorted(between(rng, ranges.thin) for _ in range(2))
        grey = low + (high - low) * (0.6 * floe + 0.4 * (0.5 + 0.3 * rough(rng, shape, exponent=2.5, longest_px=80.0)))
        pond = between(rng, (70.0, 150.0)) + 14.0 * rough(rng, shape, exponent=3.0, longest_px=30.0)
        blue = between(rng, ranges.pond_blue)
        colours = {
            THICK: (snow, SNOW),
            THIN: (grey, np.array([0.92, 0.97, 1.0, between(rng, (0.55, 0.9))])),
            POND: (pond, np.array([1.0 / blue, 0.5 + 0.5 / blue, 1.0, 0.35])),
        }
        out = np.zeros((len(BANDS), *shape))
        for code, (level, colour) in colours.items():
            here = classes == code
            out[:, here] = np.clip(level[here], 20.0, 255.0) * colour[:, None]
        return out

    def _ridges(self, rng) -> np.ndarray:
        """Return what ridges and sastrugi do to snow, counts; and give them relief."""
        net = polygons(self.y, self.x, size=between(rng, (30.0, 90.0)), key=self.key + 200)
        ridge = np.exp(-0.5 * (net.border / 1.2) ** 2) * (unit(net.edge) < 0.3)
        self.relief = (ridge * between(rng, (0.5, 3.0))).astype(np.float32)
        grain = rng.normal(0.0, between(rng, (1.0, 5.0)), self.shape)
        return grain - between(rng, (-10.0, 25.0)) * ridge


def _brash(rng, counts: np.ndarray, classes: np.ndarray, *, ice: _Ice) -> np.ndarray:
    """Fill part of the water between floes with crushed ice; where it holds more than half, it is ice."""
    if rng.random() < 0.65:
        return counts
    near = ndimage.gaussian_filter((classes == THICK).astype(np.float32), 6.0)
    grain = ndimage.gaussian_filter(rng.standard_normal(classes.shape), between(rng, (0.5, 1.0)))
    grain /= grain.std()
    amount = np.clip(near + 0.3 * rough(rng, classes.shape, exponent=3.0, longest_px=100.0) - 0.1, 0.0, 1.0)
    share = np.clip((grain + 3.0 * (amount - 0.55)) * 0.8 + 0.3, 0.0, 1.0) * (classes == WATER) * (amount > 0.15)
    share = np.where(share > 0.5, share, 0.5 * share)
    ice.about["brash"] = float((share > 0.5).mean())
    bright = ice.about["thick_low"] * SNOW[:, None, None]
    out = counts * (1.0 - share) + bright * share
    classes[share > 0.5] = THICK
    return out


def _land(rng, classes, counts, relief, *, brown: np.ndarray, about: dict[str, float]):
    """Put land over a side of the scene: fields, snow, and grids of frozen ponds."""
    shape = classes.shape
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    angle = rng.uniform(0, 2 * np.pi)
    slope = (y / shape[0] - 0.5) * np.sin(angle) + (x / shape[1] - 0.5) * np.cos(angle)
    coast = 3.0 * slope + 0.5 * rough(rng, shape, exponent=3.4, longest_px=max(shape))
    land = share_above(coast, between(rng, (0.1, 0.6)))
    about["land"] = float(land.mean())
    snowy = rng.random() < 0.45
    plots = polygons(y, x, size=between(rng, (12.0, 60.0)), key=int(rng.integers(2**40)))
    tone = unit(plots.own)
    if snowy:
        level = (
            between(rng, (110.0, 200.0)) + 50.0 * (tone - 0.5) + 8.0 * rough(rng, shape, exponent=2.5, longest_px=200.0)
        )
        tint = np.array([1.0, between(rng, (0.93, 0.99)), between(rng, (0.8, 0.95)), 1.0])
    else:
        level = between(rng, (50.0, 130.0)) * (0.6 + 0.8 * tone) + 5.0 * rough(
            rng, shape, exponent=2.2, longest_px=100.0
        )
        tint = np.array([1.0, between(rng, (0.8, 1.0)), between(rng, (0.55, 0.85)), between(rng, (0.9, 1.4))])
    level = level + rng.normal(0.0, 5.0, shape) - 25.0 * (plots.border < 0.8)
    ground = np.clip(level, 15.0, 250.0)[None] * tint[:, None, None]
    codes = np.full(shape, LAND, np.uint8)
    if rng.random() < 0.6:
        _pond_grid(rng, y, x, land=land, coast=coast, codes=codes, ground=ground)
    about["pond_grid"] = float((land & (codes == POND_GRID)).mean())
    shore = land & ~ndimage.binary_erosion(land, iterations=2)
    ground[:, shore] = 0.6 * ground[:, shore] + 0.4 * (40.0 + brown[shore])
    return (
        np.where(land, codes, classes).astype(np.uint8),
        np.where(land, ground, counts),
        np.where(land, np.float32(0.5) * (plots.border < 0.8), relief).astype(np.float32),
    )


def _pond_grid(rng, y, x, *, land, coast, codes, ground) -> None:
    """Lay a grid of frozen ponds along the shore: basins between dams."""
    turn = rng.uniform(0, np.pi)
    a, b = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
    long, wide = between(rng, (18.0, 70.0)), between(rng, (8.0, 30.0))
    dam = between(rng, (1.0, 3.0))
    belt = land & (coast < np.quantile(coast[land], between(rng, (0.2, 0.7)))) if land.any() else land
    basin = belt & (a % long > dam) & (b % wide > dam)
    key = (np.floor(a / long).astype(np.int64) * 8191 + np.floor(b / wide).astype(np.int64)).astype(np.uint64)
    frozen = unit(mix(key))
    level = between(rng, (70.0, 190.0)) * (0.75 + 0.5 * frozen)
    tint = np.array([0.92, 0.98, 1.0, 0.7])
    codes[belt] = POND_GRID
    ground[:, basin] = np.clip(level[basin], 20.0, 250.0) * tint[:, None]
