"""The review page in a real browser: keys and mouse end as lines in the corrections file, and survive the server."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from polynya.labels import corrections
from polynya.workflows import review

from ... import chromium
from ...chromium import ALT, CTRL, SHIFT, Page
from .. import label_tables
from .test_review import start

pytestmark = pytest.mark.skipif(chromium.BROWSER is None, reason="no Chromium to run the page in")
X = label_tables.START + 1.0
QUIET = "![...S.feeds.values()].some(f => f.busy) && ![...S.tiles.values()].some(t => t.busy)"


@pytest.fixture
def labels(tmp_path) -> Path:
    beams = {"gt1r": label_tables.beam(2000, seed=1), "gt2r": label_tables.beam(1500, seed=2, offset=600.0)}
    return label_tables.write(
        tmp_path / "labels.parquet", beams=beams, scene=label_tables.write_scene(tmp_path / "scene.tif")
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Page]:
    with Page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser, labels) -> Iterator[Page]:
    with serving([labels]) as address:
        browser.events.clear()
        opened(browser, address)
        yield browser
        assert browser.complaints() == []
        browser.open("about:blank")


class serving:
    """Serve label files in a thread."""

    def __init__(self, paths: list[Path]):
        self._context = review.started(paths, who="A. Reviewer")

    def __enter__(self) -> str:
        self.server, about = self._context.__enter__()
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return about.address

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self._context.__exit__(*error)


def opened(page: Page, address: str) -> None:
    page.open("about:blank")
    page.open(address)
    page.wait('document.body.dataset.ready === "yes"')
    settled(page)


def settled(page: Page) -> None:
    """Wait until nothing is asked for and all is drawn."""
    page.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    page.wait(QUIET)
    page.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def at(page: Page, x: float, share: float = 0.3) -> tuple[float, float]:
    """Return where a place along the track lies in the profile on the screen."""
    box = page.box("plot")
    return box["left"] + page.run(f"px({x!r})"), box["top"] + share * box["height"]


def lines(labels: Path) -> list[dict]:
    path = corrections.beside(labels)
    return [json.loads(t) for t in path.read_text().splitlines()] if path.exists() else []


def saved(page: Page, text: str = "saved") -> None:
    page.wait(f"document.getElementById('saved').textContent.includes({json.dumps(text)})")
    settled(page)


def colour(page: Page, canvas: str, x: float, y: float) -> list[int]:
    """Return the drawn colour at a place of a canvas, page coordinates."""
    return page.run(
        f"(() => {{ const c = document.getElementById('{canvas}'), b = c.getBoundingClientRect(); return"
        f" [...c.getContext('2d').getImageData({x} - b.left, {y} - b.top, 1, 1).data].slice(0, 3); }})()"
    )  # type: ignore[return-value]


def css_colour(page: Page, kind: int) -> list[int]:
    text = page.run(f"COLOURS[{kind}]")
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


def ribbon(page: Page, x: float) -> list[int]:
    return colour(page, "plot", at(page, x)[0], page.box("plot")["top"] + page.run("plotShape().ribbon + 5"))


def test_page_asks_nobody_but_its_server(page):
    origin = page.run("location.origin")
    asked = page.requests()
    assert len(asked) > 8 and all(a.startswith((origin, "about:", "blob:", "data:")) for a in asked), asked
    assert page.run(
        "[...document.querySelectorAll('[src],link[href]')].every(e => (e.src || e.href).startsWith(location.origin) ||"
        " (e.href || '').startsWith('data:'))"
    )
    assert page.run("fetch('http://127.0.0.1:9/').then(() => 'went out', () => 'held')") == "held"
    assert page.run("document.getElementById('title').textContent") == label_tables.GRANULE
    assert "simulated, not satellite data" in page.run("document.getElementById('facts').textContent")
    page.events.clear()  # the fetch above is a complaint by design


def test_profile_and_picture_show_the_labels_where_they_are(page):
    page.run(f"look({X + 700}, {X + 1000})")
    settled(page)
    for x, kind in ((X + 750, 0), (X + 830, 2), (X + 880, 1), (X + 904, 4), (X + 950, 0)):
        assert ribbon(page, x) == css_colour(page, kind), (x, kind)
    # the ground under the cursor in the picture is the ground of the scene at that segment, moved by no shift
    for x in (X + 760, X + 900):
        east, north = (
            label_tables.LEFT + 800 + 0.2 * (x - label_tables.START),
            label_tables.TOP - 300 - 0.95 * (x - label_tables.START),
        )
        row, column = (label_tables.TOP - north) / 10, (east - label_tables.LEFT) / 10
        box = page.box("map")
        sx, sy = page.run(f"toScreen(mapFrame(), ...place(myCourse(), {x}))")
        got = colour(page, "map", box["left"] + sx, box["top"] + sy)
        assert abs(got[0] - row / 4) <= 1 and abs(got[1] - column / 4) <= 1 and got[2] == 200
        # in the along-track view a place stands under itself
        assert abs(box["left"] + sx - at(page, x)[0]) < 2


def test_drag_and_key_set_a_class_and_undo_takes_it_back(page, labels):
    page.run(f"look({X + 100}, {X + 400})")
    settled(page)
    page.drag(at(page, X + 200.2), at(page, X + 260.4))
    assert page.run("S.selection") == pytest.approx([X + 200, X + 260])
    page.key("2")
    saved(page, "thin ice: saved")
    (line,) = lines(labels)
    assert (line["action"], line["beam"], line["to"], line["x_atc"], line["from"], line["who"]) == (
        "label",
        "gt1r",
        1,
        [X + 200, X + 260],
        {"0": 31},
        "A. Reviewer",
    )
    assert (
        ribbon(page, X + 230) == css_colour(page, 1)
        and ribbon(page, X + 198) == css_colour(page, 0)
        and ribbon(page, X + 262) == css_colour(page, 0)
    )
    page.key("z", CTRL)
    saved(page, "undo")
    assert [t["action"] for t in lines(labels)] == ["label", "undo"] and ribbon(page, X + 230) == css_colour(page, 0)
    page.key("r")
    saved(page, "redo")
    assert ribbon(page, X + 230) == css_colour(page, 1)
    assert [c.to for c in corrections.active(corrections.read(corrections.beside(labels)))] == [1]


def test_everything_works_by_keyboard_alone(page, labels):
    page.key("3")  # nothing is selected yet
    assert "Select a stretch first" in page.run("document.getElementById('notice').textContent") and lines(labels) == []
    page.key("b")
    assert page.run("S.beam") == "gt2r"
    page.run(f"look({X + 100}, {X + 200})")
    settled(page)
    page.key("ArrowRight")  # the cursor comes up in the middle, on a segment
    first = page.run("S.cursor")
    page.key(" ")
    for _ in range(4):
        page.key("ArrowRight")
    page.key("ArrowRight", SHIFT)
    page.key(" ")
    page.key("ArrowLeft")  # the stretch has ended: the cursor moves alone
    page.key("0")
    saved(page, "set aside")
    (line,) = lines(labels)
    assert line["beam"] == "gt2r" and line["to"] == -1 and line["x_atc"] == [first, first + 2 * 29]
    page.key("j")
    page.wait(f"S.selection && S.selection[0] > {first + 58}")
    page.key("a")
    page.key("Escape")
    assert page.run("S.selection") is None
    page.key("d")
    saved(page, "reviewed: saved")
    assert page.run("document.getElementById('progress').textContent") == "1 of 1 reviewed"
    page.key("?")
    assert page.run("document.getElementById('help').open")
    page.key("1")  # held back by the overlay
    page.key("Escape")
    assert not page.run("document.getElementById('help').open")
    for _ in range(2):
        page.key("u")
        page.run("queue")
    page.wait("!S.state.undo")
    assert [t["action"] for t in lines(labels)] == ["label", "done", "undo", "undo"] and not page.run("S.state.done")


def test_click_shift_click_double_click_and_wheel(page, labels):
    page.run(f"look({X + 700}, {X + 1000})")
    settled(page)
    page.click(*at(page, X + 720))
    page.click(*at(page, X + 740), modifiers=SHIFT)
    assert page.run("S.selection") == pytest.approx([X + 720, X + 740])
    page.click(*at(page, X + 830), clicks=2)
    page.wait(
        f"S.selection && Math.abs(S.selection[0] - {X + 800}) < .01 && Math.abs(S.selection[1] - {X + 858}) < .01"
    )
    page.wait("document.querySelector('[data-name=label]')?.textContent.includes('open water')")
    before = page.run("S.view")
    page.mouse("wheel", *at(page, X + 850), wheel=-300)
    page.wait(f"S.view[1] - S.view[0] < {before[1] - before[0] - 1}")
    assert page.run(f"S.view[0] < {X + 850} && S.view[1] > {X + 850}")
    # both cursors are one: a click in the picture sets it in the profile
    box = page.box("map")
    sx, sy = page.run(f"toScreen(mapFrame(), ...place(myCourse(), {X + 846}))")
    page.click(box["left"] + sx, box["top"] + sy + 30)
    assert page.run("S.cursor") == pytest.approx(X + 846, abs=2.1)


def test_the_track_is_moved_by_arrows_and_by_mouse(page, labels):
    page.key("m")  # north up: arrows are east and north
    page.key("s")
    for _ in range(3):
        page.key("ArrowRight")
    page.key("ArrowDown", SHIFT)
    page.key("ArrowUp", ALT)
    page.run("queue")
    page.wait("!S.pending && S.state.shift[0] === 150 && S.state.shift[1] === -89")
    assert [t["to"] for t in lines(labels)] == [[130, -40], [140, -40], [150, -40], [150, -90], [150, -89]]
    assert lines(labels)[0]["from"] == [120, -40]
    assert "E +150 m, N \u221289 m" in page.run("document.getElementById('map-note').textContent")
    assert "labels still those of E +120, N \u221240" in page.run("document.getElementById('map-note').textContent")
    box, mpp = page.box("map"), page.run("mapFrame().mpp")
    page.drag((box["left"] + 300, box["top"] + 150), (box["left"] + 320, box["top"] + 140))
    page.wait("S.state.shift[0] > 151")
    east, north = lines(labels)[-1]["to"]
    assert east == pytest.approx(150 + 20 * mpp, abs=mpp) and north == pytest.approx(-89 + 10 * mpp, abs=mpp)
    page.key("s")
    page.key("u")
    page.wait("S.state.shift[0] === 150")


def test_killed_server_says_so_and_the_restarted_one_knows_all(browser, labels):
    process, client = start(labels)
    try:
        opened(browser, f"http://{client.host}/#{client.key}")
        browser.run(f"select({X + 10}, {X + 20})")
        browser.key("1")
        saved(browser, "thick ice: saved")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        browser.run(f"select({X + 30}, {X + 40})")
        browser.key("2")
        browser.wait("document.getElementById('notice').textContent.includes('thin ice is NOT saved')")
        assert "saved" not in browser.run("document.getElementById('saved').textContent")
        assert [t["to"] for t in lines(labels)] == [0]
    finally:
        process.kill()
    process, client = start(labels)
    try:
        opened(browser, f"http://{client.host}/#{client.key}")
        browser.run(f"look({X - 1}, {X + 60})")
        settled(browser)
        assert ribbon(browser, X + 14) == css_colour(browser, 0) and ribbon(browser, X + 34) == css_colour(browser, 2)
        browser.key("u")
        saved(browser, "undo")
        assert ribbon(browser, X + 14) == css_colour(browser, 2)
        assert [t["action"] for t in lines(labels)] == ["label", "undo"]
        browser.open("about:blank")
        browser.open(f"http://{client.host}/#wrong")
        browser.wait("document.getElementById('notice').textContent.includes('key is missing or of an earlier review')")
    finally:
        process.kill()
        process.communicate(timeout=30)
        browser.open("about:blank")


def test_a_foreign_page_reads_and_changes_nothing(browser, labels):
    with serving([labels]) as address:
        host, key = address.removeprefix("http://").split("/#")
        browser.open(
            f"http://localhost:{host.split(':')[1]}/"
        )  # same server under its other name: another site for the browser
        browser.wait("document.readyState === 'complete'")
        for script in (
            (
                f"fetch('http://{host}/api/session', {{headers: {{'X-Polynya-Key': '{key}'}}}}).then(() => 'read', ()"
                " => 'held')"
            ),
            (
                f"fetch('http://{host}/api/done', {{method: 'POST', mode: 'no-cors', headers: {{'Content-Type':"
                " 'text/plain'}, body: '{\"file\": 0, \"done\": true}'}).then(() => 'sent', () => 'held')"
            ),
        ):
            assert browser.run(script) == "held"
        assert lines(labels) == []
        browser.open("about:blank")


def test_without_a_scene_the_profile_works(browser, tmp_path):
    path = label_tables.write(tmp_path / "bare.parquet", beams={"gt3l": label_tables.beam(300)})
    with serving([path]) as address:
        opened(browser, address)
        assert "without a scene" in browser.run("document.getElementById('map-note').textContent")
        browser.drag(at(browser, X + 100), at(browser, X + 120))
        browser.key("3")
        saved(browser, "open water: saved")
        assert len(lines(path)) == 1
        browser.open("about:blank")


def test_next_file_and_a_broken_one_does_not_stop_the_rest(browser, tmp_path):
    paths = [
        label_tables.write(tmp_path / f"{k}.parquet", beams={"gt1r": label_tables.beam(200)}, granule=f"G{k}")
        for k in range(3)
    ]
    with serving(paths) as address:
        opened(browser, address)
        browser.key("d")
        saved(browser, "reviewed")
        paths[1].write_bytes(b"gone bad")
        browser.key("n")
        browser.wait("document.getElementById('notice').textContent.includes('cannot be read')")
        browser.key("n")
        browser.wait("S.state && S.state.granule === 'G2'")
        assert browser.run("document.getElementById('progress').textContent") == "1 of 3 reviewed"
        assert browser.run("document.getElementById('notice').hidden")
        browser.open("about:blank")


def test_a_long_track_comes_in_small_pieces(browser, tmp_path):
    n = 30_000
    path = label_tables.write(
        tmp_path / "long.parquet", beams={f"gt{k}{s}": label_tables.beam(n, seed=k) for k in (1, 2, 3) for s in "lr"}
    )
    with serving([path]) as address:
        opened(browser, address)
        assert browser.run("[...S.feeds.values()].every(f => f.data.n > 28000 && f.data.x.length <= f.data.columns)")
        browser.run(f"look({X + 20_000}, {X + 20_400})")
        settled(browser)
        assert browser.run("S.feeds.get('plot/gt1r').data.single && S.feeds.get('plot/gt1r').data.x.length < 500")
        assert ribbon(browser, X + 20_400 - 10) == css_colour(browser, 0)
        browser.open("about:blank")
