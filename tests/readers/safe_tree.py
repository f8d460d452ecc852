"""Writes small SAFE folders in the layout of the product specification, with counts that the test chooses.

Independent of the simulator on purpose. Element names, their order, the namespaces, the odd spellings (``bandId``
beside ``band_id``, files named without ``.jp2``) follow metadata of published products: baseline 02.04 and 02.08, and
05.09.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

CORNER = (499980.0, 1900020.0)
EPSG = 32702
SENSED = "2019-11-04T19:52:07.471949Z"
STARTED = "2019-11-04T19:45:11.024Z"
NATIVE_1C = {
    "B01": 60,
    "B02": 10,
    "B03": 10,
    "B04": 10,
    "B05": 20,
    "B06": 20,
    "B07": 20,
    "B08": 10,
    "B8A": 20,
    "B09": 60,
    "B10": 60,
    "B11": 20,
    "B12": 20,
}
ORDER = tuple(NATIVE_1C)
LISTED_2A = {
    10: ("B02", "B03", "B04", "B08", "TCI"),
    20: ("B02", "B05", "B8A", "B11", "B12", "TCI", "SCL"),
    60: ("B01", "B02", "B09", "TCI", "SCL"),
}


def write_jp2(path: Path, data: np.ndarray, *, resolution: int) -> None:
    """Write (count, h, w) without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = data.shape
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        width=width,
        height=height,
        count=count,
        dtype=data.dtype,
        crs=f"EPSG:{EPSG}",
        transform=from_origin(*CORNER, resolution, resolution),
        QUALITY="100",
        REVERSIBLE="YES",
        YCBCR420="NO",
        RESOLUTIONS="3",
    ) as out:
        out.write(data)


def tile_xml(level: str, shape: tuple[int, int], *, sun: bool = True) -> str:
    """MTD_TL.xml of the granule."""
    rows, columns = shape
    sizes = "".join(
        f'<Size resolution="{r}"><NROWS>{-(-rows * 10 // r)}</NROWS><NCOLS>{-(-columns * 10 // r)}</NCOLS></Size>'
        for r in (10, 20, 60)
    )
    places = "".join(
        "<Geoposition"
        f' resolution="{r}"><ULX>{CORNER[0]:.0f}</ULX><ULY>{CORNER[1]:.0f}</ULY><XDIM>{r}</XDIM>'
        f"<YDIM>-{r}</YDIM></Geoposition>"
        for r in (10, 20, 60)
    )
    angles = (
        '<Tile_Angles metadataLevel="Standard"><Sun_Angles_Grid><Zenith><COL_STEP'
        ' unit="m">5000</COL_STEP><Values_List><VALUES>61 62</VALUES></Values_List></Zenith></Sun_Angles_Grid>'
        '<Mean_Sun_Angle><ZENITH_ANGLE unit="deg">61.25</ZENITH_ANGLE><AZIMUTH_ANGLE'
        ' unit="deg">48.5</AZIMUTH_ANGLE></Mean_Sun_Angle>'
        '<Mean_Viewing_Incidence_Angle_List><Mean_Viewing_Incidence_Angle bandId="0"><ZENITH_ANGLE'
        ' unit="deg">7.1</ZENITH_ANGLE></Mean_Viewing_Incidence_Angle></Mean_Viewing_Incidence_Angle_List>'
        "</Tile_Angles>"
        if sun
        else ""
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<n1:Level-{level}_Tile_ID'
        f' xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{level}_Tile_Metadata.xsd">'
        f'<n1:General_Info><TILE_ID metadataLevel="Brief">S2B_OPER_MSI_L{level}_TL_TEST</TILE_ID><SENSING_TIME'
        f' metadataLevel="Standard">{SENSED}</SENSING_TIME>'
        "<Archiving_Info><ARCHIVING_TIME>2019-11-04T23:27:08.812988Z</ARCHIVING_TIME></Archiving_Info></n1:General_Info>"
        '<n1:Geometric_Info><Tile_Geocoding metadataLevel="Brief"><HORIZONTAL_CS_NAME>WGS84 / UTM zone'
        f" 2S</HORIZONTAL_CS_NAME><HORIZONTAL_CS_CODE>EPSG:{EPSG}</HORIZONTAL_CS_CODE>"
        f"{sizes}{places}</Tile_Geocoding>{angles}</n1:Geometric_Info></n1:Level-{level}_Tile_ID>\n"
    )


def product_xml(level: str, name: str, images: list[str], *, baseline: str, offsets: dict[str, int]) -> str:
    """MTD_MSIL1C.xml or MTD_MSIL2A.xml."""
    listed = "".join(f"<IMAGE_FILE>{i}</IMAGE_FILE>" for i in images)
    if level == "1C":
        radiometry = '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
        if offsets:
            radiometry += (
                "<Radiometric_Offset_List>"
                + "".join(
                    f'<RADIO_ADD_OFFSET band_id="{ORDER.index(b)}">{v}</RADIO_ADD_OFFSET>' for b, v in offsets.items()
                )
                + "</Radiometric_Offset_List>"
            )
    else:
        radiometry = (
            '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
            '<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
        )
        if offsets:
            radiometry += (
                "<BOA_ADD_OFFSET_VALUES_LIST>"
                + "".join(
                    f'<BOA_ADD_OFFSET band_id="{ORDER.index(b)}">{v}</BOA_ADD_OFFSET>' for b, v in offsets.items()
                )
                + "</BOA_ADD_OFFSET_VALUES_LIST>"
            )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<n1:Level-{level}_User_Product'
        f' xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><n1:General_Info><Product_Info>'
        f"<PRODUCT_START_TIME>{STARTED}</PRODUCT_START_TIME><PRODUCT_STOP_TIME>{STARTED}</PRODUCT_STOP_TIME><PRODUCT_URI>{name}</PRODUCT_URI>"
        f"<PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI{level}</PRODUCT_TYPE><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>"
        '<Product_Organisation><Granule_List><Granule datastripIdentifier="DS" granuleIdentifier="TL"'
        f' imageFormat="JPEG2000">{listed}</Granule></Granule_List></Product_Organisation></Product_Info>'
        "<Product_Image_Characteristics><Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>"
        f"{radiometry}<Reflectance_Conversion><U>1.02</U></Reflectance_Conversion><Spectral_Information_List><Spectral_Information"
        ' bandId="8" physicalBand="B8A"/></Spectral_Information_List>'
        f"</Product_Image_Characteristics></n1:General_Info></n1:Level-{level}_User_Product>\n"
    )


def write_safe(
    parent: Path,
    *,
    level: str = "1C",
    baseline: str = "05.09",
    counts: dict[str, np.ndarray] | None = None,
    tci: np.ndarray | None = None,
    scl: np.ndarray | None = None,
    offsets: dict[str, int] | None = None,
    shape: tuple[int, int] = (120, 180),
    sun: bool = True,
    bands: tuple[str, ...] | None = None,
) -> Path:
    """Write a product; bands without ``counts`` hold 1000 times their place in the list plus 500.

    Parameters
    ----------
    counts : dict
        Band -> counts at the band's own resolution.
    tci : numpy.ndarray of uint8, shape (h, w, 3)
        None leaves the true colour out of folder and metadata.
    scl : numpy.ndarray of uint8
        At 20 m.
    offsets : dict
        Band -> counts to add; by default -1000 for all from baseline 04.00 on.
    bands : tuple of str
        Those to write; all by default.
    """
    name = f"S2B_MSIL{level}_20191104T194511_N{baseline.replace('.', '')}_R071_T02CNC_20191104T231500.SAFE"
    folder = parent / name
    granule = f"GRANULE/L{level}_T02CNC_A013890_20191104T195208"
    stem = "T02CNC_20191104T194511"
    if offsets is None:
        offsets = dict.fromkeys(ORDER, -1000) if baseline >= "04.00" else {}
    rows, columns = shape
    images = []

    def put(band: str, resolution: int) -> None:
        image = (
            f"{granule}/IMG_DATA/{stem}_{band}"
            if level == "1C"
            else f"{granule}/IMG_DATA/R{resolution}m/{stem}_{band}_{resolution}m"
        )
        images.append(image)
        small = (-(-rows * 10 // resolution), -(-columns * 10 // resolution))
        if band == "TCI":
            step = resolution // 10
            data = np.moveaxis(tci[::step, ::step], -1, 0)
        elif band == "SCL":
            data = (scl if resolution == 20 else scl[::3, ::3])[None].astype(np.uint8)
        elif counts and band in counts and resolution == NATIVE_1C[band]:
            data = counts[band][None].astype(np.uint16)
        else:
            data = np.full(
                (1, *small),
                1000 * ORDER.index(band) + 500 + (resolution if level == "2A" and resolution != NATIVE_1C[band] else 0),
                np.uint16,
            )
        write_jp2(folder / f"{image}.jp2", np.ascontiguousarray(data), resolution=resolution)

    if level == "1C":
        for band in ORDER:
            if bands is None or band in bands:
                put(band, NATIVE_1C[band])
        if tci is not None:
            put("TCI", 10)
    else:
        for resolution, listed in LISTED_2A.items():
            for band in listed:
                if (
                    (band == "TCI" and tci is None)
                    or (band == "SCL" and scl is None)
                    or (bands is not None and band in ORDER and band not in bands)
                ):
                    continue
                put(band, resolution)
    (folder / granule / "MTD_TL.xml").write_text(tile_xml(level, shape, sun=sun), encoding="utf-8")
    (folder / f"MTD_MSIL{level}.xml").write_text(
        product_xml(level, name, images, baseline=baseline, offsets=offsets), encoding="utf-8"
    )
    (folder / "manifest.safe").write_text("<xfdu/>\n", encoding="utf-8")
    return folder
