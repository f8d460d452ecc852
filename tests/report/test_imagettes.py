"""The contact sheet in a real browser: filters, keys, details, widths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from polynya.report import imagettes
from polynya.schema.imagette_tags import BITS
from polynya.schema.imagettes import TAGS

from .. import chromium
from ..chromium import Page

N = 150
"""More than one portion."""


def shown(k: int) -> imagettes.Shown:
    aside = k % 10 == 9
    tags = () if aside or k % 5 == 0 else (k % 5,) if k % 3 else (k % 5, 5)
    return imagettes.Shown(
        number=k,
        name=f"imagette{k}",
        time=f"2016-01-{1 + k % 28:02}T05:15:{k % 60:02}Z" if k % 7 else "",
        satellite="S1A",
        beam=("wv1", "wv2", "")[k % 3],
        place=(np.nan, np.nan),
        incidence=np.nan,
        probability=(*(0.9 if t in tags else 0.1 for t in range(9)), np.nan),
        tags=tags,
        precise=tags[:1],
        confidence=np.nan if aside else k / N,
        quality=BITS["near_land"] if aside else 0,
        jpeg=imagettes.thumbnail(np.full((400, 400), 40 + k, np.uint8)),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    items = tuple(shown(k) for k in range(N))
    counts = {
        "tags": {t: sum(j in s.tags for s in items) for j, t in enumerate(TAGS)},
        "precise_tags": {t: sum(j in s.precise for s in items) for j, t in enumerate(TAGS)},
        "quality": {"near_land": 15},
        "tags_per_imagette": {"0": 30, "1": 60},
    }
    page = imagettes.Page(
        title="set",
        facts={"imagettes": "3,000"},
        counts=counts,
        numbers={"n_imagettes": 3000, "n_tagged": 105, "n_not_assessed": 15},
        shown=items,
        messages=("Know this.",),
    )
    return imagettes.write(tmp_path_factory.mktemp("r") / "report.html", page)


def test_a_thumbnail_is_a_small_picture():
    picture = np.repeat(np.arange(0, 200, 2, np.uint8), 4)[None, :].repeat(400, axis=0)
    jpeg = imagettes.thumbnail(picture)
    assert jpeg.startswith(b"\xff\xd8\xff") and len(jpeg) < 8000
    import rasterio

    with rasterio.MemoryFile(jpeg) as memory, memory.open() as file:
        found = file.read(1).astype(float)
    assert found.shape == (133, 133) and np.abs(found[:, 66] - 100).max() < 6


def test_some_of_many_are_said(path):
    assert "150 of 3,000 imagettes, chosen at random within each tag" in path.read_text()


def test_filters_are_there_where_pictures_differ():
    """A folder of one beam without times gets neither filter."""
    same = tuple(replace(shown(k), beam="wv1", time="") for k in range(3))
    assert imagettes._where_and_when(same) == ""
    both = imagettes._where_and_when((*same, replace(shown(4), beam="", time="2016-01-05T05:15:04Z")))
    assert 'id="beam"' in both and ">not known<" in both and 'id="from"' not in both
    later = imagettes._where_and_when(tuple(replace(s, time=f"2016-01-0{s.number + 1}T05:15:00Z") for s in same))
    assert 'min="2016-01-01T05:15" max="2016-01-03T05:15"' in later and 'id="beam"' not in later


@pytest.mark.skipif(chromium.BROWSER is None, reason="no Chromium to run the page in")
@pytest.mark.parametrize("wide", [1280, 390])
def test_filters_and_keys(path, tmp_path, wide):
    def count(wanted):
        return sum(bool(wanted(s)) for s in map(shown, range(N)))

    with Page(tmp_path, width=wide, height=844) as page:
        page.open(path.as_uri())
        page.wait('document.body.dataset.ready === "yes"')
        said = lambda: int(page.run('document.getElementById("shown").textContent').split()[0])  # noqa: E731
        press = lambda key: page.run(f"document.querySelector('[data-tag=\"{key}\"]').click()")  # noqa: E731
        assert said() == N and page.run('document.querySelectorAll(".imagette").length') == 120
        press(5)
        assert said() == count(lambda s: 5 in s.tags)
        press(1)
        assert said() == count(lambda s: {1, 5} & set(s.tags))
        page.run('(e => { e.value = "all"; e.dispatchEvent(new Event("change")); })(document.getElementById("mode"))')
        assert said() == count(lambda s: {1, 5} <= set(s.tags))
        page.run('(e => { e.value = "0.5"; e.dispatchEvent(new Event("change")); })(document.getElementById("low"))')
        assert said() == count(lambda s: {1, 5} <= set(s.tags) and s.confidence >= 0.5)
        page.run('document.getElementById("reset").click()')
        put = lambda key, value: page.run(  # noqa: E731
            f'(e => {{ e.value = "{value}"; e.dispatchEvent(new Event("change")); }})(document.getElementById("{key}"))'
        )
        put("beam", "wv2")
        assert said() == count(lambda s: s.beam == "wv2")
        put("from", "2016-01-05T05:15")
        put("to", "2016-01-20T05:15")  # to the whole minute
        assert said() == count(lambda s: s.beam == "wv2" and "2016-01-05" <= s.time[:10] <= "2016-01-20")
        put("beam", "-")
        assert said() == count(lambda s: not s.beam and "2016-01-05" <= s.time[:10] <= "2016-01-20")
        page.run('document.getElementById("reset").click()')
        assert said() == N
        press("aside")
        assert said() == count(lambda s: s.quality) == 15
        press("aside")
        press("none")
        assert said() == count(lambda s: not s.tags and not s.quality)
        page.run('document.getElementById("reset").click(); document.querySelector(".imagette").focus()')
        page.key("ArrowRight")
        page.key("ArrowRight")
        page.key("Enter")
        page.wait('document.getElementById("detail").open')
        assert page.run('document.getElementById("detail-name").textContent') == "imagette2"
        page.key("ArrowRight")
        assert page.run('document.getElementById("detail-name").textContent') == "imagette3"
        assert page.run('document.querySelector("#detail-tags .on span").textContent') in ("rain cells", "sea ice")
        page.key("Escape")
        page.wait('!document.getElementById("detail").open && document.activeElement.dataset.k === "3"')
        page.run('document.getElementById("more").click()')
        assert page.run('document.querySelectorAll(".imagette").length') == N
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.complaints() == [] and {a.split(":")[0] for a in page.requests()} <= {"file", "data"}
