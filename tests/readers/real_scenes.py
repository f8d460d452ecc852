"""Copies of real metadata with small images beside them, whose counts the test knows.

The metadata are the agencies' own; only a tile's size is made small, so that its images are.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from tests.readers.scene_rasters import write
from tests.real_files import scenes

SIDE = 120
"""Pixels of 10 m a side."""
SIZES = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B8A": 20, "B11": 20, "B12": 20, "SCL": 20}
SIX = ("B02", "B03", "B04", "B08", "B11", "B12")
AWS = "aws_layout_S2A_OPER_MSI_L2A_TL_VGS1_20220401T110010_A035382_T34LBQ"


def counts_of(band: str, side: int) -> np.ndarray:
    """Return counts (side, side): noise around a level of the band's own; 0 in one corner."""
    rng = np.random.default_rng(sum(map(ord, band)))
    if band == "SCL":
        out = np.full((side, side), 11, np.uint8)
        out[:, side // 2 :] = 9
    else:
        out = rng.integers(1200, 9000, (side, side)).astype(np.uint16)
    out[0, 0] = 0
    return out


def write_image(path: Path, data: np.ndarray, *, epsg: int, corner: tuple[float, float], size: float) -> None:
    """Write (h, w) as JPEG 2000 without loss, or as GeoTIFF by the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"} if path.suffix == ".jp2" else {}
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG" if path.suffix == ".jp2" else "GTiff",
        width=data.shape[1],
        height=data.shape[0],
        count=1,
        dtype=data.dtype,
        crs=f"EPSG:{epsg}",
        transform=from_origin(*corner, size, size),
        **options,
    ) as out:
        out.write(data, 1)


def _made_small(xml: Path) -> tuple[int, tuple[float, float]]:
    """Make the tile of a copied MTD_TL.xml small; return EPSG code and corner."""
    text = xml.read_text()
    for size in (10, 20, 60):
        n = SIDE * 10 // size
        text = re.sub(
            rf'(<Size resolution="{size}">\s*<NROWS>)\d+(</NROWS>\s*<NCOLS>)\d+', rf"\g<1>{n}\g<2>{n}", text, count=1
        )
    xml.write_text(text)
    epsg = int(re.search(r"HORIZONTAL_CS_CODE>EPSG:(\d+)", text)[1])
    corner = re.search(r"<ULX>(-?\d+)</ULX>\s*<ULY>(-?\d+)", text)
    return epsg, (float(corner[1]), float(corner[2]))


def safe(parent: Path, name: str, *, bands=tuple(SIZES), sizes=SIZES) -> Path:
    """Copy a real SAFE tree's metadata and write images under the names that they list."""
    folder = parent / name
    shutil.copytree(scenes(f"sentinel2/{name}"), folder, copy_function=shutil.copy)
    epsg, corner = _made_small(next(folder.glob("GRANULE/*/MTD_TL.xml")))
    main = next(folder.glob("MTD_MSIL*.xml")).read_text()
    for image in re.findall(r"<IMAGE_FILE>([^<]+)<", main):
        found = re.search(r"_(B\d\d|B8A|SCL)(?:_(\d\d)m)?$", image)
        if found and found[1] in bands and (found[2] is None or int(found[2]) == sizes[found[1]]):
            side = SIDE * 10 // sizes[found[1]]
            write_image(
                folder / f"{image}.jp2", counts_of(found[1], side), epsg=epsg, corner=corner, size=sizes[found[1]]
            )
    return folder


def aws(parent: Path, *, names=("metadata.xml", "product_metadata.xml", "tileInfo.json"), level_1=False) -> Path:
    """Copy a real tile's metadata in the layout of the public bucket and write its images."""
    folder = parent / "tile"
    folder.mkdir(parents=True)
    for name in ("metadata.xml", *names):
        shutil.copy(scenes(f"sentinel2/{AWS}") / name, folder / name)
    epsg, corner = _made_small(folder / "metadata.xml")
    if level_1:
        text = (folder / "metadata.xml").read_text()
        (folder / "metadata.xml").write_text(text.replace("Level-2A_Tile_ID", "Level-1C_Tile_ID"))
    for band, size in SIZES.items():
        if level_1 and band == "SCL":
            continue
        place = folder / f"{band}.jp2" if level_1 else folder / f"R{size}m" / f"{band}.jp2"
        write_image(place, counts_of(band, SIDE * 10 // size), epsg=epsg, corner=corner, size=size)
    return folder


def landsat(parent: Path, mtl: Path, *, upper=True) -> Path:
    """Copy a real MTL file and write the bands that it lists."""
    folder = parent / "product"
    folder.mkdir(parents=True)
    shutil.copy(mtl, folder / mtl.name)
    text = mtl.read_text()
    for key, name in re.findall(r"FILE_NAME_((?:BAND|QUALITY_L1_PIXEL)\w*)\W+?\"?([A-Z0-9_]+\.TIF)", text):
        if "BAND_8" in key or "BAND_9" in key:
            continue
        data = landsat_counts(name)
        path = folder / (name if upper else name.lower())
        write(path, data[None], resolution=30.0, nodata=0 if "QA" not in name else None)
    return folder


def landsat_counts(name: str) -> np.ndarray:
    """Return counts (40, 50) of a Landsat band by its file's name: of 8 bits in Level 1 of the older missions."""
    rng = np.random.default_rng(sum(map(ord, name.upper())))
    if "QA_PIXEL" in name.upper():
        return np.full((40, 50), 21824, np.uint16)
    is_small = "_L1" in name.upper() and name.upper().startswith(("LE07", "LT0"))
    out = rng.integers(20, 250, (40, 50)).astype(np.uint8) if is_small else rng.integers(8000, 40000, (40, 50))
    out = out if is_small else out.astype(np.uint16)
    out[0, 0] = 0
    return out


def zipped(folder: Path, out: Path, *, root: str | None = None, windows=False, method=zipfile.ZIP_DEFLATED) -> Path:
    """Zip a folder under a root of its own name or of another; with the slashes of Windows on request."""
    root = folder.name if root is None else root
    with zipfile.ZipFile(out, "w", method) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo("x")
                name = "/".join(p for p in (root, path.relative_to(folder).as_posix()) if p)
                info.filename, info.compress_type = name.replace("/", "\\") if windows else name, method
                archive.writestr(info, path.read_bytes())
    return out


def tarred(folder: Path, out: Path, *, root: str = "") -> Path:
    """Put the files of a folder into a tar archive, packed by its name's ending."""
    with tarfile.open(out, "w:gz" if out.suffix in (".gz", ".tgz") else "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, "/".join(p for p in (root, path.relative_to(folder).as_posix()) if p))
    return out
