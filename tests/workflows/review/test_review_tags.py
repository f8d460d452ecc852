"""The review of tags: what it saves, what training and evaluation read of it, whom it lets in, what it leaves alone."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from polynya.errors import OutputError, ProductError, UsageError
from polynya.io import pictures
from polynya.labels import tag_reviews as log
from polynya.readers import wv_quicklooks
from polynya.samples import labelled_imagettes
from polynya.schema.imagette_tags import BITS
from polynya.schema.imagettes import TAGS
from polynya.workflows import review
from polynya.workflows.evaluate import tags as evaluate

from ... import chromium
from ...chromium import Page
from ..tags import tag_tables
from .test_review import Client

N = 6
ICE, WAVES, SLICKS = (TAGS.index(t) for t in ("sea_ice", "pure_ocean_waves", "biological_slicks"))


def name(k):
    return f"s1a-wv1-slc-vv-20160110t00000{k}-20160110t000009-000{100 + k}-00d6fe-00{k}"


@pytest.fixture
def result(tmp_path) -> Path:
    """Six pictures of two folders with one file name, and the tags that a network gave them."""
    source = tmp_path / "pictures"
    for k in range(N):
        path = source / ("a" if k < 3 else "b") / f"{name(k)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.add.outer(np.arange(40) * 5, np.arange(30) * (k + 1)).clip(0, 255)
        pictures.write_png(path, picture.astype(np.uint8))
    given = np.zeros((N, 10), bool)
    given[:, WAVES] = True
    files = [f"{'a' if k < 3 else 'b'}/{name(k)}.png" for k in range(N)]
    more = {"name": [name(k) for k in range(N)], "file": files, "confidence": np.linspace(0.9, 0.4, N)}
    more |= {"latitude": np.full(N, 12.5), "longitude": np.full(N, -30.0), "azimuth_pixel": np.full(N, 42.0)}
    more |= {"range_pixel": np.full(N, 37.0), "tag_quality": np.array([0, 0, 0, 0, 0, 2])}
    about = {"source_path": str(source)}
    return tag_tables.write(tmp_path / "out", "set", tags=given, about=about, **more)


@contextlib.contextmanager
def serving(*paths):
    with review.started(list(paths), who="me") as (server, about):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield Client(about.address)
        finally:
            server.shutdown()


def known(folder):
    return {r.filename: r.tags.tolist() for r in wv_quicklooks.read_table(folder)}


def test_changes_become_a_folder_that_training_reads(result):
    with serving(result) as client:
        state = client.file()
        assert [i["tags"] for i in state["imagettes"]] == [[WAVES]] * 5 + [[]]  # the last was not assessed
        client.change("tag", row=1, tag="sea_ice", present=True)
        client.change("tag", row=1, tag="pure_ocean_waves", present=False)
        found = client.change("confirm", row=2)
        assert found["confirmed"] == 1 and found["reviewed"] == 2
    folder = result.with_name("set.reviewed")
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["tags.csv", "tags.reviews.jsonl", f"{name(1)}.png", f"{name(2)}.png"]
    )
    partly, whole = (known(folder)[f"{name(k)}.png"] for k in (1, 2))
    assert [(k, v) for k, v in enumerate(partly) if v != -1] == [(WAVES, 0), (ICE, 1)]
    assert whole == [1 if k == WAVES else 0 for k in range(10)]
    read = labelled_imagettes.read([result.parent], size=64, pixel_m=50.0)
    assert read.tags.tolist() == [partly, whole] and set(read.passes) == {"S1A-000101", "S1A-000102"}
    [first, _] = wv_quicklooks.read(folder)
    assert (first.latitude, first.azimuth_pixel_m, first.range_pixel_m) == (12.5, 42.0, 37.0)
    table = evaluate.run(result, reference=folder).to_pylist()
    row = next(r for r in table if (r["metric"], r["class"]) == ("precision", "pure_ocean_waves"))
    assert (row["value"], row["n"]) == (0.5, 2)


def test_a_review_resumes_and_takes_back(result):
    with serving(result) as client:
        client.change("tag", row=0, tag="biological_slicks", present=True)
        client.change("confirm", row=0)
    with serving(result.parent) as client:
        state = client.file()
        assert state["imagettes"][0]["tags"] == [WAVES, SLICKS] and state["imagettes"][0]["confirmed"]
        assert state["undo"]["text"].endswith("confirmed")
        found = client.change("undo", id=state["undo"]["id"])
        assert found["imagette"]["confirmed"] is False and found["imagette"]["said"] == [SLICKS]
        status, data, _ = client.ask("/api/undo", body={"file": 0, "id": state["undo"]["id"]})
        assert status == 409 and b"not the last change" in data
        found = client.change("undo", id=found["undo"]["id"])
        assert found["undo"] is None and found["imagette"]["tags"] == [WAVES]
    assert known_rows(result.with_name("set.reviewed")) == []
    assert len(log.read_log(result.with_name("set.reviewed") / log.LOG)) == 4  # no line is ever deleted


def known_rows(folder):
    return (folder / "tags.csv").read_text().splitlines()[1:]


def test_nothing_is_left_where_nothing_was_changed(result):
    with serving(result) as client:
        assert client.ask("/api/picture?file=0&row=3")[1].startswith(b"\x89PNG")
    assert not result.with_name("set.reviewed").exists()


def test_the_page_is_open_and_everything_else_needs_the_key(result):
    with serving(result) as client:
        for path in ("/", "/review_tags.js", "/review_tags.css"):
            status, data, headers = client.ask(path, X_Polynya_Key=None)
            assert status == 200 and client.key.encode() not in data and b"http" not in data
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        for path in ("/api/session", "/api/file?file=0", "/api/picture?file=0&row=0"):
            assert client.ask(path, X_Polynya_Key=None)[0] == 401
            assert client.ask(path, Host="evil.example")[0] == 403
        body = {"file": 0, "row": 0, "tag": "sea_ice", "present": True}
        assert client.ask("/api/tag", body=body, X_Polynya_Key="x")[0] == 401
        assert client.ask("/api/tag", body=body, Origin="http://evil.example")[0] == 403
        assert client.ask("/api/tag", body=body, Content_Type="text/plain")[0] == 415
        for path in ("/review.js", "/api/window", "/../tags.csv", "/api/label"):
            assert client.ask(path)[0] == 404
        for bad in ({"row": 99}, {"row": -1}, {"tag": "../x"}, {"tag": 3}, {"present": "yes"}, {"file": 1}):
            assert client.ask("/api/tag", body=body | bad)[0] == 400
        assert client.file()["reviewed"] == 0
    assert not result.with_name("set.reviewed").exists()


def test_foreign_files_are_left_alone(result):
    folder = result.with_name("set.reviewed")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="polynya review did not write it"):
        review.started([result]).__enter__()
    (folder / "mine.txt").unlink()
    with serving(result) as client:
        client.change("confirm", row=0)
        (folder / f"{name(1)}.png").write_bytes(b"mine")
        status, data, _ = client.ask("/api/confirm", body={"file": 0, "row": 1})
        assert status == 507 and b"no review wrote it" in data
    assert (folder / f"{name(1)}.png").read_bytes() == b"mine"
    text = (folder / "tags.csv").read_text()
    (folder / "tags.csv").write_text(text + "other.png,1,,,,,,,,,,,,,,0\n")
    with pytest.raises(OutputError, match="changed by another program"):
        review.started([result]).__enter__()


def test_a_table_that_a_kill_left_behind_is_made_up(result):
    """The line is on disk before the table: a stop in between loses nothing."""
    folder = result.with_name("set.reviewed")
    with serving(result) as client:
        client.change("confirm", row=0)
        before = (folder / "tags.csv").read_text()
        client.change("confirm", row=1)
    (folder / "tags.csv").write_text(before)
    with (folder / log.LOG).open("ab") as file:
        file.write(b'{"action": "conf')  # and the next line was never whole
    with serving(result) as client:
        assert client.file()["confirmed"] == 2
        client.change("confirm", row=2)
    assert len(known_rows(folder)) == 3 and len(log.read_log(folder / log.LOG)) == 3


def test_damaged_lines_and_two_reviews_are_rejected(result):
    with serving(result) as client:
        client.change("confirm", row=0)
        with pytest.raises(OutputError, match="another polynya review has it open"):
            review.started([result]).__enter__()
    path = result.with_name("set.reviewed") / log.LOG
    line = json.loads(path.read_text())
    for change in ({"action": "delete"}, {"tags": {"ships": 1}}, {"tags": {}}, {"about": {"filename": "../x.png"}}):
        path.write_text(json.dumps(line | change) + "\n")
        with pytest.raises(ProductError, match="line 1 is no review"):
            log.read_log(path)
    path.write_text((json.dumps(line) + "\n") * 2)
    with pytest.raises(ProductError, match="line 2 has the id"):
        log.read_log(path)


def test_pictures_that_are_gone_are_said(result, tmp_path):
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    with serving(result) as client:
        status, data, _ = client.ask("/api/picture?file=0&row=0")
        assert status == 500 and b"are not at" in data
        assert client.ask("/api/confirm", body={"file": 0, "row": 0})[0] == 500
        assert client.file()["reviewed"] == 0
    with pytest.raises(UsageError, match="do not"):
        review.started([result, tmp_path / "elsewhere"]).__enter__()


def table_of_two(folder, source, **columns) -> Path:
    given = np.zeros((2, 10), bool)
    return tag_tables.write(folder, "two", tags=given, about={"source_path": str(source)}, **columns)


def test_two_pictures_of_one_name_are_rejected(tmp_path):
    """A review is kept by name: it would say of the one what was said of the other."""
    two = table_of_two(tmp_path / "o", tmp_path, name=["same", "same"], file=["a/same.png", "b/same.png"])
    with serving(two) as client:
        status, data, _ = client.ask("/api/file?file=0")
        assert status == 500 and b"1 names occur more than once, as same; expected one picture of a name" in data
    assert not two.with_name("two.reviewed").exists()


def test_what_is_no_picture_is_not_copied(tmp_path):
    """A table may name any file of the folder: only pictures get into the folder that training reads."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "secret.key").write_text("secret")
    (tmp_path / "secret.png").write_text("secret")
    two = table_of_two(tmp_path / "o", tmp_path / "in", name=["a", "b"], file=["secret.key", "../secret.png"])
    with serving(two) as client:
        for row, says in enumerate((b"is no picture by its name", b"is not in")):
            status, data, _ = client.ask("/api/confirm", body={"file": 0, "row": row})
            assert status == 500 and says in data
        assert client.file()["reviewed"] == 0
    assert not [p for p in tmp_path.rglob("*.reviewed/*") if p.suffix in (".key", ".png")]


def test_a_picture_that_could_not_be_read_is_not_reviewed(tmp_path):
    """It would lie in the folder that training reads, and stop it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cut.png").write_bytes(b"cut")
    quality = np.array([BITS["picture_not_readable"]] * 2)
    two = table_of_two(
        tmp_path / "o", tmp_path / "in", name=["cut", "gone"], file=["cut.png", "gone.png"], tag_quality=quality
    )
    with serving(two) as client:
        for row in (0, 1):
            status, data, _ = client.ask("/api/confirm", body={"file": 0, "row": row})
            assert status == 500 and b"could not be read when it was tagged" in data
    assert not list(tmp_path.rglob("*.reviewed/*.png"))


@pytest.mark.skipif(chromium.BROWSER is None, reason="no Chromium to run the page in")
@pytest.mark.parametrize("wide", [1280, 390])
def test_keys_in_a_browser(result, tmp_path, wide):
    with serving(result) as client, Page(tmp_path / "profile", width=wide, height=844) as page:
        page.open(f"http://{client.host}/#{client.key}")
        page.wait('document.body.dataset.ready === "yes"')
        page.wait('document.getElementById("picture").naturalWidth > 0')
        assert page.run('document.getElementById("name").textContent') == name(5)  # the least sure one
        page.key("6")
        page.wait('document.getElementById("saved").textContent.includes("sea ice: saved")')
        page.key("Enter")
        page.wait(f'document.getElementById("name").textContent === "{name(4)}"')
        page.key("1")
        page.wait('document.getElementById("saved").textContent.includes("no pure ocean waves: saved")')
        page.key("u")
        page.wait('document.getElementById("saved").textContent.includes("undone")')
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.complaints() == []
    assert known(result.with_name("set.reviewed")) == {f"{name(5)}.png": [int(k == ICE) for k in range(10)]}
