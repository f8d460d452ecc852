"""Digital numbers to sigma nought, written plainly: a pixel at a time, from the XML alone, without the package."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np


class Plain:
    """Annotation of one polarisation of a SAFE folder."""

    def __init__(self, safe: Path, polarisation: str):
        self.product, self.calibration, self.noise = (
            self._find(safe / folder, tag, polarisation)
            for folder, tag in (
                ("annotation", "product"),
                ("annotation/calibration", "calibration"),
                ("annotation/calibration", "noise"),
            )
        )
        self.blocks = [
            (
                v.findtext("swath"),
                int(v.findtext("firstAzimuthLine")),
                int(v.findtext("lastAzimuthLine")),
                int(v.findtext("firstRangeSample")),
                int(v.findtext("lastRangeSample")),
                numbers(v, "line"),
                numbers(v, "noiseAzimuthLut"),
            )
            for v in self.noise.findall("noiseAzimuthVectorList/noiseAzimuthVector")
        ]
        self.vectors = [
            (int(v.findtext("line")), numbers(v, "pixel"), numbers(v, "noiseRangeLut"))
            for v in self.noise.findall("noiseRangeVectorList/noiseRangeVector")
        ]
        self.gains = [
            (int(v.findtext("line")), numbers(v, "pixel"), numbers(v, "sigmaNought"))
            for v in self.calibration.findall("calibrationVectorList/calibrationVector")
        ]

    @staticmethod
    def _find(folder: Path, tag: str, polarisation: str):
        for path in folder.glob("*.xml"):
            root = ElementTree.parse(path).getroot()
            if root.tag == tag and root.findtext("adsHeader/polarisation") == polarisation:
                return root
        raise FileNotFoundError(f"{tag} of {polarisation} in {folder}")

    def block_at(self, line: int, sample: int):
        """Return the block of a pixel, or None."""
        for block in self.blocks:
            if block[1] <= line <= block[2] and block[3] <= sample <= block[4]:
                return block
        return None

    def factors(self, line: int, sample: int) -> tuple[float, float, float]:
        """Return A, range noise and azimuth noise of a pixel; NaN where there is none."""
        before = max((g for g in self.gains if g[0] <= line), key=lambda g: g[0])
        after = min((g for g in self.gains if g[0] >= line), key=lambda g: g[0])
        gain = between(line, before[0], after[0], *(np.interp(sample, g[1], g[2]) for g in (before, after)))
        block = self.block_at(line, sample)
        if block is None:
            return gain, np.nan, np.nan
        known = []
        for at, pixels, values in self.vectors:
            own = [b for b in self.blocks if b[0] == block[0] and b[1] <= at <= b[2]]
            if not own:
                continue
            inside = (pixels >= own[0][3]) & (pixels <= own[0][4])
            good = inside & (values > 0)
            if not good.any():
                continue
            last = pixels[good].max()
            value = np.interp(sample, pixels[good], values[good])
            known.append((at, np.nan if sample > last and (pixels[inside] > last).any() else value))
        low = [k for k in known if k[0] <= line]
        high = [k for k in known if k[0] >= line]
        first, second = (low or high)[-1 if low else 0], (high or low)[0 if high else -1]
        return gain, between(line, first[0], second[0], first[1], second[1]), float(np.interp(line, block[5], block[6]))

    def sigma0(self, number: int, line: int, sample: int) -> float:
        """Return sigma nought of a pixel, linear."""
        gain, along, across = self.factors(line, sample)
        return (float(number) ** 2 - along * across) / gain**2


def numbers(node, name: str) -> np.ndarray:
    """Return the numbers of an element."""
    return np.array([float(word) for word in node.findtext(name).split()])


def between(x: float, x0: float, x1: float, y0: float, y1: float) -> float:
    """Interpolate linearly."""
    return y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
