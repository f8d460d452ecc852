"""The XML of a simulated Sentinel-2 product: user product and tile, the parts of the real files that readers use.

Element names and nesting as in the Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD, version 14.9);
baseline 05.00, so that ``reflectance = (DN + offset) / 10000`` with an offset of -1000 in every band. 0 means no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as xml

from ... import __version__
from .frame import PIXEL, Frame, crs_name

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""In the order of the metadata's ``bandId``."""
RESOLUTION = {b: 10 if b in ("B02", "B03", "B04", "B08") else 60 if b in ("B01", "B09", "B10") else 20 for b in BANDS}
QUANTIFICATION, OFFSET = 10000, -1000
BASELINE = "05.00"


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product and the names of its parts, as the specification builds them; no real product has relative orbit 000
    or tile square XX.

    Attributes
    ----------
    level : str
        ``1C`` or ``2A``.
    time : str
        Of the image, ISO, UTC.
    name : str
        Of the ``.SAFE`` folder.
    granule, datastrip : str
        Granule folder and datastrip identifier.
    prefix : str
        Of the image files.
    """

    level: str
    time: str
    name: str
    granule: str
    datastrip: str
    prefix: str


def product(*, level: str, tile: str, time: str) -> Product:
    """Return a product with its names.

    Parameters
    ----------
    level : str
        ``1C`` or ``2A``.
    tile : str
        Five characters.
    time : str
        ISO, UTC.
    """
    stamp = time[:19].replace("-", "").replace(":", "")
    return Product(
        level=level,
        time=time,
        name=f"S2A_MSIL{level}_{stamp}_N0500_R000_T{tile}_{stamp}.SAFE",
        granule=f"L{level}_T{tile}_A000000_{stamp}",
        datastrip=f"DS_SIMU_{stamp}_S{stamp}",
        prefix=f"T{tile}_{stamp}",
    )


def user_product(product: Product, *, files: list[str], cloud_percent: float, settings: str) -> bytes:
    """Return ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``.

    Parameters
    ----------
    product : Product
        What the file describes.
    files : list of str
        Paths of the product's images, without extension.
    cloud_percent : float
        Share of the scene under cloud, %.
    settings : str
        What the scene was simulated from, for an element of its own.
    """
    level = product.level
    root = xml.Element(
        f"n1:Level-{level}_User_Product",
        {"xmlns:n1": f"https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd"},
    )
    general = _add(root, "n1:General_Info")
    info = _add(general, "Product_Info")
    stamp = product.time[:19] + ".000Z"
    for name, text in {
        "PRODUCT_START_TIME": stamp,
        "PRODUCT_STOP_TIME": stamp,
        "PRODUCT_URI": product.name,
        "PROCESSING_LEVEL": f"Level-{level}",
        "PRODUCT_TYPE": f"S2MSI{level}",
        "PROCESSING_BASELINE": BASELINE,
        "PRODUCT_DOI": "",
        "GENERATION_TIME": stamp,
        "PREVIEW_IMAGE_URL": "Not applicable",
        "PREVIEW_GEO_INFO": "Not applicable",
        "SIMULATED_BY": f"polynya {__version__}: a simulation, no measurement. {settings}",
    }.items():
        _add(info, name, text)
    take = _add(info, "Datatake", datatakeIdentifier=f"GS2A_{product.prefix[-15:]}_000000_N{BASELINE}")
    for name, text in {
        "SPACECRAFT_NAME": "Sentinel-2A",
        "DATATAKE_TYPE": "INS-NOBS",
        "DATATAKE_SENSING_START": stamp,
        "SENSING_ORBIT_NUMBER": "0",
        "SENSING_ORBIT_DIRECTION": "DESCENDING",
    }.items():
        _add(take, name, text)
    query = _add(info, "Query_Options", completeSingleTile="true")
    _add(query, "PRODUCT_FORMAT", "SAFE_COMPACT")
    granules = _add(_add(info, "Product_Organisation"), "Granule_List")
    granule = _add(
        granules,
        "Granule",
        datastripIdentifier=product.datastrip,
        granuleIdentifier=product.granule,
        imageFormat="JPEG2000",
    )
    for file in files:
        _add(granule, "IMAGE_FILE", file)
    image = _add(general, "Product_Image_Characteristics")
    for name, value in (("NODATA", 0), ("SATURATED", 65535)):
        special = _add(image, "Special_Values")
        _add(special, "SPECIAL_VALUE_TEXT", name)
        _add(special, "SPECIAL_VALUE_INDEX", str(value))
    order = _add(image, "Image_Display_Order")
    for name, value in (("RED_CHANNEL", 3), ("GREEN_CHANNEL", 2), ("BLUE_CHANNEL", 1)):
        _add(order, name, str(value))
    if level == "1C":
        _add(image, "QUANTIFICATION_VALUE", str(QUANTIFICATION), unit="none")
        offsets, tag = _add(image, "Radiometric_Offset_List"), "RADIO_ADD_OFFSET"
    else:
        _add(_add(image, "QUANTIFICATION_VALUES_LIST"), "BOA_QUANTIFICATION_VALUE", str(QUANTIFICATION), unit="none")
        offsets, tag = _add(image, "BOA_ADD_OFFSET_VALUES_LIST"), "BOA_ADD_OFFSET"
    for i in range(len(BANDS)):
        _add(offsets, tag, str(OFFSET), band_id=str(i))
    spectral = _add(image, "Spectral_Information_List")
    for i, band in enumerate(BANDS):
        one = _add(spectral, "Spectral_Information", bandId=str(i), physicalBand=band.replace("B0", "B"))
        _add(one, "RESOLUTION", str(RESOLUTION[band]))
    quality = _add(root, "n1:Quality_Indicators_Info")
    _add(quality, "Cloud_Coverage_Assessment", f"{cloud_percent:.4f}")
    return _bytes(root)


def tile(product: Product, frame: Frame, *, sun: tuple[float, float]) -> bytes:
    """Return ``MTD_TL.xml``: time, geocoding, sun and viewing angles.

    Parameters
    ----------
    product : Product
        What the file describes.
    frame : Frame
        The scene's grid.
    sun : tuple of float
        Elevation and azimuth, degrees.
    """
    level = product.level
    root = xml.Element(
        f"n1:Level-{level}_Tile_ID",
        {"xmlns:n1": f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{level}_Tile_Metadata.xsd"},
    )
    general = _add(root, "n1:General_Info")
    _add(general, "TILE_ID", product.granule, metadataLevel="Brief")
    _add(general, "DATASTRIP_ID", product.datastrip, metadataLevel="Standard")
    _add(general, "SENSING_TIME", product.time[:19] + ".000Z", metadataLevel="Standard")
    geometry = _add(root, "n1:Geometric_Info")
    coding = _add(geometry, "Tile_Geocoding", metadataLevel="Brief")
    _add(coding, "HORIZONTAL_CS_NAME", crs_name(frame.epsg))
    _add(coding, "HORIZONTAL_CS_CODE", f"EPSG:{frame.epsg}")
    for resolution in (10, 20, 60):
        size = _add(coding, "Size", resolution=str(resolution))
        _add(size, "NROWS", str(round(frame.rows * PIXEL) // resolution))
        _add(size, "NCOLS", str(round(frame.columns * PIXEL) // resolution))
    for resolution in (10, 20, 60):
        place = _add(coding, "Geoposition", resolution=str(resolution))
        for name, value in (("ULX", frame.left), ("ULY", frame.top), ("XDIM", resolution), ("YDIM", -resolution)):
            _add(place, name, f"{value:.0f}")
    angles = _add(geometry, "Tile_Angles", metadataLevel="Standard")
    grid = _add(angles, "Sun_Angles_Grid")
    for name, value in (("Zenith", 90.0 - sun[0]), ("Azimuth", sun[1])):
        part = _add(grid, name)
        _add(part, "COL_STEP", "5000", unit="m")
        _add(part, "ROW_STEP", "5000", unit="m")
        values = _add(part, "Values_List")
        for _ in range(23):
            _add(values, "VALUES", " ".join([f"{value:.6g}"] * 23))
    mean = _add(angles, "Mean_Sun_Angle")
    _add(mean, "ZENITH_ANGLE", f"{90.0 - sun[0]:.8f}", unit="deg")
    _add(mean, "AZIMUTH_ANGLE", f"{sun[1]:.8f}", unit="deg")
    views = _add(angles, "Mean_Viewing_Incidence_Angle_List")
    for i in range(len(BANDS)):
        view = _add(views, "Mean_Viewing_Incidence_Angle", bandId=str(i))
        _add(view, "ZENITH_ANGLE", "0.0", unit="deg")
        _add(view, "AZIMUTH_ANGLE", "0.0", unit="deg")
    return _bytes(root)


def _add(parent: xml.Element, name: str, text: str | None = None, **attributes: str) -> xml.Element:
    node = xml.SubElement(parent, name, attributes)
    node.text = text
    return node


def _bytes(root: xml.Element) -> bytes:
    xml.indent(root)
    return xml.tostring(root, encoding="UTF-8", xml_declaration=True)
