"""Small files of echoes in the layouts of the products, with numbers chosen here."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.io import netcdf_file

ROWS, PER_ROW, GATES = 3, 40, 128
SGDR = {
    "waveform": "waveforms_40hz",
    "time": "time_40hz",
    "latitude": "lat_40hz",
    "longitude": "lon_40hz",
    "altitude": "alt_40hz",
    "tracker": "tracker_40hz",
    "range": "range_40hz",
    "agc": "agc_40hz",
    "sigma0": "sig0_40hz",
    "significant_wave_height": "swh_40hz",
}
PEACHI = {**SGDR, "waveform": "waveform_40hz", "latitude": "latitude_40hz", "longitude": "longitude_40hz"}
SGDR_F = {
    "waveform": "data_40/ka/power_waveform",
    "time": "data_40/time",
    "latitude": "data_40/latitude",
    "longitude": "data_40/longitude",
    "altitude": "data_40/altitude",
    "tracker": "data_40/ka/tracker_range_calibrated",
    "range": "data_40/ka/range_ocean",
    "agc": "data_40/ka/agc",
    "sigma0": "data_40/ka/sig0_ocean",
    "significant_wave_height": "data_40/ka/swh_ocean",
}
PACKING = {
    "latitude": ("i4", 1e-6, 0.0),
    "longitude": ("i4", 1e-6, 0.0),
    "altitude": ("i4", 1e-4, 700_000.0),
    "tracker": ("i4", 1e-4, 700_000.0),
    "range": ("i4", 1e-4, 700_000.0),
    "agc": ("i2", 0.01, 0.0),
    "sigma0": ("i2", 0.01, 0.0),
    "significant_wave_height": ("i2", 0.001, 0.0),
}


def altika_values() -> dict[str, np.ndarray]:
    """Values of 3 x 40 echoes, exact to the packing."""
    k = np.arange(ROWS * PER_ROW).reshape(ROWS, PER_ROW)
    return {
        "waveform": (k[..., None] * 3 + np.arange(GATES) * 2 + 1).astype(np.int64),
        "time": 5.07e8 + 0.025 * k,
        "latitude": np.round(80.0 + 1e-3 * k, 6),
        "longitude": np.round(185.0 + 2e-3 * k, 6),
        "altitude": np.round(799_000.0 + k / 10, 4),
        "tracker": np.round(798_990.0 + k / 8, 4),
        "range": np.round(798_991.0 + k / 16, 4),
        "agc": 30.0 + (k % 7),
        "sigma0": 10.0 + (k % 11),
        "significant_wave_height": (k % 5) / 4,
    }


def altika_netcdf3(path: Path, *, names: dict[str, str] = SGDR, without: tuple[str, ...] = ()) -> Path:
    """NetCDF 3, as SGDR is: packed big-endian numbers, 1 Hz x 40."""
    values = altika_values()
    with netcdf_file(path, "w") as file:
        for name, size in (("time", ROWS), ("meas_ind", PER_ROW), ("wvf_ind", GATES)):
            file.createDimension(name, size)
        for key, name in names.items():
            if key in without:
                continue
            kind, factor, offset = PACKING.get(key, ("f8" if key == "time" else "i2", 1.0, 0.0))
            dimensions = ("time", "meas_ind", "wvf_ind") if key == "waveform" else ("time", "meas_ind")
            variable = file.createVariable(name, kind, dimensions)
            packed = (values[key] - offset) / factor
            variable[:] = packed if kind == "f8" else np.round(packed).astype(kind)
            if key in PACKING:
                variable.scale_factor, variable.add_offset = np.array([factor]), np.array([offset])
                variable._FillValue = np.array([np.iinfo(kind).max], kind)
            if key == "time":
                variable.units = "seconds since 2000-01-01 00:00:00.0"
        surface = file.createVariable("surface_type", "i1", ("time",))
        surface[:] = [0, 0, 3]
    return path


def altika_groups(path: Path) -> Path:
    """NetCDF 4 with groups, as products of version F of the Jason missions are."""
    values = altika_values()
    with h5py.File(path, "w") as file:
        for key, name in SGDR_F.items():
            kind, factor, offset = PACKING.get(key, ("f8" if key == "time" else "u2", 1.0, 0.0))
            packed = (values[key] - offset) / factor
            node = file.create_dataset(name, data=packed if kind == "f8" else np.round(packed).astype(kind))
            if key in PACKING:
                node.attrs["scale_factor"], node.attrs["add_offset"] = factor, offset
        file[SGDR_F["time"]].attrs["units"] = "seconds since 2000-01-01 00:00:00.0"
        file["data_01/surface_classification_flag"] = np.array([0, 0, 3], np.int8)
    return path


def cryosat(path: Path, *, mode: int = 3, gates: int = 1024, n: int = 6) -> Path:
    """CryoSat-2 L1b: packed numbers, two 1 Hz records, surface types of them."""
    k = np.arange(n)
    with h5py.File(path, "w") as file:

        def add(name: str, data: np.ndarray, factor: float | None = None, **attributes: object) -> None:
            node = file.create_dataset(name, data=data)
            if factor is not None:
                node.attrs["scale_factor"], node.attrs["add_offset"] = factor, 0.0
            node.attrs.update(attributes)

        add("time_20_ku", 5.0e8 + 0.05 * k, units="seconds since 2000-01-01 00:00:00.0")
        add("lat_20_ku", (70e7 + 1000 * k).astype("i4"), 1e-7, _FillValue=np.int32(-(2**31)))
        add("lon_20_ku", (-1790000000 - 1000 * k).astype("i4"), 1e-7)
        add("alt_20_ku", (720_000_000 + k).astype("i4"), 0.001)
        add("window_del_20_ku", (4_800_000_000 + 1000 * k).astype("i8"), 1e-12)
        add("pwr_waveform_20_ku", (np.arange(gates)[None] + 10 * k[:, None] + 1).astype("u2"))
        add("echo_scale_factor_20_ku", (2_000_000_000 + k).astype("i4"), 1e-9)
        add("echo_scale_pwr_20_ku", (-60 + k % 2).astype("i4"))
        add("agc_ch1_20_ku", np.full(n, 3150, "i4"), 0.01)
        add("flag_instr_mode_op_20_ku", np.full(n, mode, "i1"))
        add("flag_mcd_20_ku", np.where(k == 2, -1, 4 * k).astype("i4"), _FillValue=np.int32(-1))
        add("stack_std_20_ku", np.where(k == 1, -32768, 500 + k).astype("i2"), 0.01, _FillValue=np.int16(-32768))
        add("surf_type_01", np.array([3, 0], "i1"), _FillValue=np.int8(-128))
        add("ind_meas_1hz_20_ku", np.where(k == 5, -32768, k // 3).astype("i2"), _FillValue=np.int16(-32768))
        file.attrs["product_name"] = "CS_OFFL_SIR_SIN_1B_20151105T083000_20151105T083100_C001"
    return path
