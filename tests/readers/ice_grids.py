"""Grids of sea-ice concentration in the layouts of OSI SAF and of the University of Bremen (ASI)."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

HUGHES = {"semi_major_axis": 6378273.0, "inverse_flattening": 298.279411123064}


def scalar(file: h5py.File, name: str, attributes: dict) -> None:
    node = file.create_dataset(name, data=np.int32(0))
    for key, value in attributes.items():
        node.attrs[key] = value


def osi_saf(path: Path, percent: np.ndarray, *, sigma: np.ndarray | None = None, cell_km: float = 10.0) -> Path:
    """Write OSI-408-like NetCDF: int16 hundredths of percent, (time, yc, xc), axes in km, y from north to south.

    Parameters
    ----------
    path : Path
        The file.
    percent : numpy.ndarray, shape (rows, columns)
        NaN is fill.
    sigma : numpy.ndarray, optional
        Total standard uncertainty, percent.
    cell_km : float
        Width of a cell; the first one is centred on x = -100 km, y = 200 km.
    """
    rows, columns = percent.shape
    axes = {"xc": -100.0 + cell_km * np.arange(columns), "yc": 200.0 - cell_km * np.arange(rows)}
    with h5py.File(path, "w") as file:
        scalar(
            file,
            "Polar_Stereographic_Grid",
            {
                "grid_mapping_name": "polar_stereographic",
                "straight_vertical_longitude_from_pole": np.float32(-45.0),
                "latitude_of_projection_origin": np.float32(90.0),
                "standard_parallel": np.float32(70.0),
                "false_easting": np.float32(0.0),
                "false_northing": np.float32(0.0),
                "semi_major_axis": np.float32(6378273.0),
                "semi_minor_axis": np.float32(6356889.44891),
                "proj4_string": "+proj=stere +a=6378273 +b=6356889.44891 +lat_0=90 +lat_ts=70 +lon_0=-45",
            },
        )
        for name, values in {"time": np.array([1.35e9]), **axes}.items():
            node = file.create_dataset(name, data=values)
            node.make_scale(name)
            node.attrs["units"] = "seconds since 1978-01-01 00:00:00" if name == "time" else "km"
        for name, values in {"ice_conc": percent, "total_standard_uncertainty": sigma}.items():
            if values is None:
                continue
            whole = np.where(np.isnan(values), -32767, np.round(np.nan_to_num(values) * 100)).astype(np.int16)
            node = file.create_dataset(name, data=whole[None])
            node.attrs.update(
                {
                    "_FillValue": np.array([-32767], np.int16),
                    "scale_factor": 0.01,
                    "add_offset": 0.0,
                    "units": "%",
                    "grid_mapping": "Polar_Stereographic_Grid",
                }
            )
            for k, axis in enumerate(("time", "yc", "xc")):
                node.dims[k].attach_scale(file[axis])
        file["ice_conc"].attrs["standard_name"] = "sea_ice_area_fraction"
    return path


def asi(path: Path, percent: np.ndarray, *, cell_m: float = 6250.0, ellipsoid: dict | None = None) -> Path:
    """Write ASI-like NetCDF: float32 ``z`` in percent without units, axes in m, y from south to north.

    Parameters
    ----------
    path : Path
        The file.
    percent : numpy.ndarray, shape (rows, columns)
        The first row is the southernmost; NaN is land.
    cell_m : float
        Width of a cell; the first one is centred on x = -3846875 m, y = -5346875 m, as in the files of 6.25 km.
    ellipsoid : dict, optional
        Hughes' by default, as before 2 November 2018.
    """
    rows, columns = percent.shape
    with h5py.File(path, "w") as file:
        scalar(
            file,
            "polar_stereographic",
            {
                "grid_mapping_name": "polar_stereographic",
                "straight_vertical_longitude_from_pole": -45.0,
                "latitude_of_projection_origin": 90.0,
                "standard_parallel": 70.0,
                "false_easting": 0.0,
                "false_northing": 0.0,
                **(ellipsoid or HUGHES),
            },
        )
        axes = {"x": -3846875.0 + cell_m * np.arange(columns), "y": -5346875.0 + cell_m * np.arange(rows)}
        for name, values in axes.items():
            node = file.create_dataset(name, data=values)
            node.make_scale(name)
            node.attrs["units"] = "m"
        node = file.create_dataset("z", data=percent.astype(np.float32))
        node.attrs.update({"_FillValue": np.array([np.nan], np.float32), "grid_mapping": "polar_stereographic"})
        for k, axis in enumerate(("y", "x")):
            node.dims[k].attach_scale(file[axis])
    return path
