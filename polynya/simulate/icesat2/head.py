"""Metadata of a simulated granule: attributes, METADATA, orbit_info, ancillary_data, quality_assessment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import h5py
import numpy as np

from ... import __version__
from ...readers.icesat2 import EPOCH, GPS_EPOCH_SECONDS, SPOTS
from .atlas import PULSE_SIGMA
from .atlas_bias import bias_table, pulse_density
from .layout import set_text, write_scalar


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a granule states about itself.

    Attributes
    ----------
    granule_id : str
        Name of the file without its suffix.
    orientation : int
        Of the spacecraft: 0 backward, 1 forward.
    rgt, cycle, region : int
        Reference ground track, cycle and region.
    times : tuple of float
        First and last delta_time, s.
    settings : dict
        What the granule was simulated from; goes into the root attribute ``polynya_simulation``.
    seed : int
        Of the simulation.
    channels : mapping of str to numpy.ndarray
        Beam to the dead times of its pair's 20 channels, ns: 16 strong, then 4 weak.
    bias_scale : mapping of str to float
        Beam to a factor on its first-photon-bias table; 1 for a beam that is not in it.
    """

    granule_id: str
    orientation: int
    rgt: int
    cycle: int
    region: int
    times: tuple[float, float]
    settings: dict[str, object]
    seed: int
    channels: Mapping[str, np.ndarray]
    bias_scale: Mapping[str, float] = field(default_factory=dict)

    def utc(self) -> list[str]:
        """Return the first and last time as text."""
        return [_utc(t) for t in self.times]


def granule_head(handle: h5py.File, head: Head) -> None:
    """Write what a granule states about itself: root attributes, METADATA, orbit_info, ancillary_data,
    quality_assessment.

    Parameters
    ----------
    handle : h5py.File
        Open for writing.
    head : Head
        What is written.
    """
    utc = head.utc()
    set_text(
        handle,
        title="Simulated ATLAS/ICESat-2 L2A global geolocated photon data",
        short_name="ATL03",
        identifier_product_type="ATL03",
        granule_type="ATL03",
        identifier_product_format_version="006",
        Conventions="CF-1.6",
        featureType="trajectory",
        hdfversion=h5py.version.hdf5_version,
        description="Simulated photons in the layout of ATL03 release 006. Not a measurement.",
        institution="polynya",
        source="simulation",
        summary="Simulated by polynya: see the attribute polynya_simulation.",
        platform="simulated ICESat-2",
        instrument="simulated ATLAS",
        level="L2A",
        processing_level="2A",
        date_type="UTC",
        time_type="CCSDS UTC-A",
        spatial_coverage_type="Horizontal",
        time_coverage_start=utc[0],
        time_coverage_end=utc[1],
        identifier_file_name=head.granule_id,
        polynya_simulation=json.dumps(
            {"polynya_version": __version__, "seed": head.seed, **head.settings}, sort_keys=True
        ),
    )
    handle.attrs.create("time_coverage_duration", head.times[1] - head.times[0])
    for name in ("DatasetIdentification", "SeriesIdentification"):
        node = handle.require_group(f"METADATA/{name}")
        set_text(
            node,
            shortName="ATL03",
            VersionID="006",
            fileName=f"{head.granule_id}.h5",
            longName="Simulated ATL03",
            status="simulated",
            language="eng",
        )
    _orbit_info(handle, head)
    _ancillary(handle, head)
    for name, dead_time in head.channels.items():
        _calibrations(
            handle,
            name,
            is_strong=SPOTS[head.orientation][name] % 2 == 1,
            channels=dead_time,
            bias_scale=head.bias_scale.get(name, 1.0),
        )
    quality = handle.create_group("quality_assessment")
    write_scalar(quality, "qa_granule_fail_reason", np.int32(0), units="1", long_name="Reason of failure, 0 is none")
    write_scalar(quality, "qa_granule_pass_fail", np.int32(0), units="1", long_name="0 pass, 1 fail")


def _orbit(head: Head) -> int:
    """Return the orbit number; a cycle has 1387 orbits."""
    return (head.cycle - 1) * 1387 + head.rgt + 210


def _utc(delta_time: float) -> str:
    return str((EPOCH + np.timedelta64(round(delta_time * 1e6), "us")).astype("datetime64[us]")) + "Z"


def _orbit_info(handle: h5py.File, head: Head) -> None:
    time = head.times[0]
    group = handle.create_group("orbit_info")
    set_text(group, Description="Orbit information.", data_rate="Only when a value changes.")
    values = {
        "crossing_time": (
            np.float64(time - 1200.0),
            "seconds since 2018-01-01",
            "Time of the ascending equator crossing",
        ),
        "cycle_number": (np.int8(head.cycle), "1", "Cycle"),
        "lan": (np.float64(0.0), "degrees_east", "Longitude of the ascending node"),
        "orbit_number": (np.uint16(_orbit(head)), "1", "Orbit number"),
        "rgt": (np.int16(head.rgt), "1", "Reference ground track"),
        "sc_orient": (np.int8(head.orientation), "1", "Orientation of the spacecraft"),
        "sc_orient_time": (
            np.float64(time - 86400.0),
            "seconds since 2018-01-01",
            "Time of the last change of orientation",
        ),
    }
    for name, (value, units, words) in values.items():
        write_scalar(group, name, value, units=units, long_name=words)
    group["sc_orient"].attrs.create("flag_values", np.array([0, 1, 2], np.int8))
    set_text(group["sc_orient"], flag_meanings="backward forward transition")


def _ancillary(handle: h5py.File, head: Head) -> None:
    utc = head.utc()
    group = handle.create_group("ancillary_data")
    set_text(group, Description="Information ancillary to the product.")
    write_scalar(
        group,
        "atlas_sdp_gps_epoch",
        np.float64(GPS_EPOCH_SECONDS),
        units="seconds since 1980-01-06T00:00:00.000000Z",
        long_name="ATLAS epoch in GPS seconds",
    )
    write_scalar(group, "control", "simulated by polynya", units="1", long_name="Control file")
    write_scalar(group, "release", "006", units="1", long_name="Release")
    write_scalar(group, "version", "01", units="1", long_name="Version")
    for k, which in enumerate(("start", "end")):
        gps = GPS_EPOCH_SECONDS + head.times[k]
        write_scalar(group, f"data_{which}_utc", utc[k], units="1", long_name=f"{which} of the data, UTC")
        write_scalar(group, f"granule_{which}_utc", utc[k], units="1", long_name=f"{which} of the granule, UTC")
        write_scalar(group, f"{which}_cycle", np.int32(head.cycle), units="1", long_name=f"Cycle at the {which}")
        write_scalar(
            group,
            f"{which}_delta_time",
            np.float64(head.times[k]),
            units="seconds since 2018-01-01",
            long_name=f"Time of the {which}",
        )
        write_scalar(
            group,
            f"{which}_gpsweek",
            np.int32(gps // 604800),
            units="weeks from 1980-01-06",
            long_name=f"GPS week of the {which}",
        )
        write_scalar(
            group,
            f"{which}_gpssow",
            np.float64(gps % 604800),
            units="seconds",
            long_name=f"GPS seconds of the week of the {which}",
        )
        write_scalar(
            group,
            f"{which}_orbit",
            np.int32(_orbit(head)),
            units="1",
            long_name=f"Orbit of the {which}",
        )
        write_scalar(group, f"{which}_region", np.int32(head.region), units="1", long_name=f"Region of the {which}")
        write_scalar(
            group, f"{which}_rgt", np.int32(head.rgt), units="1", long_name=f"Reference ground track of the {which}"
        )
    tep = group.create_group("tep")
    set_text(
        tep, Description="Transmitter echo path. Not simulated as photons; the pulse is in atlas_impulse_response."
    )
    write_scalar(
        tep,
        "tep_valid_spot",
        np.array([1, 1, 3, 3, 1, 3], np.int32),
        units="1",
        long_name="Echo path used for each spot",
    )
    write_scalar(tep, "tep_bin_size", np.float64(5.0e-11), units="seconds", long_name="Bin size of the histogram")
    edges = np.arange(-3.0, 12.0, 0.05)
    for where in ("pce1_spot1", "pce2_spot3"):
        node = handle.require_group(f"atlas_impulse_response/{where}/tep_histogram")
        density = pulse_density(edges, PULSE_SIGMA)
        write_scalar(node, "tep_hist_time", edges * 1e-9, units="seconds", long_name="Time from the pulse's mean")
        write_scalar(node, "tep_hist", density / density.sum(), units="1", long_name="Share of the pulse in the bin")


def _calibrations(handle: h5py.File, name: str, *, is_strong: bool, channels: np.ndarray, bias_scale: float) -> None:
    table = bias_table(is_strong=is_strong)
    root = handle.require_group("ancillary_data/calibrations")
    bias, dead = root.require_group("first_photon_bias"), root.require_group("dead_time")
    if "cal19_product" not in bias:
        set_text(root, Description="Instrument calibrations.")
        set_text(bias, Description="First-photon bias, computed from the simulated detector.")
        set_text(dead, Description="Dead times of the detector channels.")
        write_scalar(bias, "cal19_product", "polynya_simulated_CAL19", units="1", long_name="Name of the calibration")
        write_scalar(dead, "cal42_product", "polynya_simulated_CAL42", units="1", long_name="Name of the calibration")
    node = bias.create_group(name)
    write_scalar(node, "dead_time", table.dead_time.astype(np.float32), units="ns", long_name="Dead times of the table")
    write_scalar(
        node, "strength", table.strength.astype(np.float32), units="events/shot", long_name="Detected photons a shot"
    )
    write_scalar(
        node, "width", table.width.astype(np.float32), units="ns", long_name="10-90 % width of the detected photons"
    )
    write_scalar(
        node,
        "ffb_corr",
        (bias_scale * table.correction).astype(np.float32),
        units="ps",
        long_name="First-photon bias, positive is early",
    )
    of_beam = dead.create_group(name)
    write_scalar(
        of_beam,
        "dead_time",
        (channels * 1e-9).astype(np.float32),
        units="seconds",
        long_name="Dead time of the pair's 20 channels: 16 strong, 4 weak",
    )
    write_scalar(
        of_beam, "sigma", np.full(20, 5e-11, np.float32), units="seconds", long_name="Uncertainty of the dead time"
    )
