"""The review server: what it lets in, what it saves, and that nothing is lost when it dies."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from polynya import io
from polynya.errors import OutputError, ProductError, UsageError
from polynya.labels import corrections
from polynya.workflows import review
from polynya.workflows.review import files as review_files
from polynya.workflows.review import session as review_session

from .. import label_tables

X = label_tables.START + 1.0


@pytest.fixture
def labels(tmp_path) -> Path:
    beams = {"gt1r": label_tables.beam(2000, seed=1), "gt2r": label_tables.beam(1500, seed=2, offset=600.0)}
    return label_tables.write(
        tmp_path / "labels.parquet", beams=beams, scene=label_tables.write_scene(tmp_path / "scene.tif")
    )


class Client:
    """Plain HTTP to a server, the key and the right names given unless told otherwise."""

    def __init__(self, address: str):
        self.host, self.key = address.removeprefix("http://").split("/#")

    def ask(
        self, path: str, *, body: object = None, method: str | None = None, **headers: str | None
    ) -> tuple[int, bytes, dict]:
        sent = {"Host": self.host, "X-Polynya-Key": self.key} | (
            {"Content-Type": "application/json", "Origin": f"http://{self.host}"} if body is not None else {}
        )
        sent |= {k.replace("_", "-"): v for k, v in headers.items()}
        connection = http.client.HTTPConnection(self.host, timeout=30)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.putrequest(
            method or ("GET" if body is None else "POST"), path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        out = answer.status, answer.read(), dict(answer.getheaders())
        connection.close()
        return out

    def change(self, path: str, **values: object) -> dict:
        status, data, _ = self.ask(f"/api/{path}", body={"file": 0, **values})
        assert status == 200, data
        return json.loads(data)

    def file(self, index: int = 0) -> dict:
        status, data, _ = self.ask(f"/api/file?file={index}")
        assert status == 200, data
        return json.loads(data)


@pytest.fixture
def client(labels):
    with review.started([labels], who="me") as (server, about):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield Client(about.address)
        server.shutdown()


def counted(state: dict, beam: str = "gt1r") -> dict:
    return next(b["labels"] for b in state["beams"] if b["name"] == beam)


# ---- who gets in -----------------------------------------------------------------------------------


def test_the_page_is_open_and_everything_else_needs_the_key(client):
    for path in ("/", "/review.js", "/review_draw.js", "/review.css"):
        status, data, headers = client.ask(path, X_Polynya_Key=None)
        assert status == 200 and client.key.encode() not in data
        assert (
            "default-src 'none'" in headers["Content-Security-Policy"]
            and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        )
        assert (
            headers["X-Content-Type-Options"] == "nosniff"
            and headers["Cache-Control"] == "no-store"
            and "Access-Control-Allow-Origin" not in headers
        )
    for key in (None, "", "x" * 32, "\u00e9"):
        assert client.ask("/api/session", X_Polynya_Key=key)[0] == 401
        assert client.ask("/api/done", body={"file": 0, "done": True}, X_Polynya_Key=key)[0] == 401
    assert client.ask("/api/session")[0] == 200


def test_the_page_names_nothing_outside(client):
    for path in ("/", "/review.js", "/review_draw.js", "/review.css"):
        text = client.ask(path)[1].decode()
        assert "http://" not in text and "https://" not in text and "//cdn" not in text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8000",
        "",
        "192.168.0.7",
        "[::1]:80",
        "localhost:80@evil.example",
        "127.0.0.1:80.evil.example",
        None,
    ],
)
def test_other_hosts_are_refused(client, labels, host):
    assert client.ask("/", Host=host)[0] in (400, 403)
    assert client.ask("/api/session", Host=host)[0] in (400, 403)
    assert client.ask("/api/done", body={"file": 0, "done": True}, Host=host, Origin=f"http://{host}")[0] in (400, 403)
    assert not corrections.beside(labels).exists()


def test_an_address_that_is_none_is_said(client):
    status, data, _ = client.ask("http://[::1")
    assert status == 400 and b"no address" in data


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost.evil.example"],
)
def test_other_origins_are_refused(client, labels, origin):
    assert client.ask("/api/session", Origin=origin)[0] == 403
    assert client.ask("/api/done", body={"file": 0, "done": True}, Origin=origin)[0] == 403
    assert (
        client.ask("/", Sec_Fetch_Site="cross-site")[0] == 403 and client.ask("/", Sec_Fetch_Site="same-site")[0] == 403
    )
    assert not corrections.beside(labels).exists()


def test_localhost_works_through_a_tunnel_of_another_port(client):
    assert (
        client.ask("/api/done", body={"file": 0, "done": True}, Host="localhost:9999", Origin="http://localhost:9999")[
            0
        ]
        == 200
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_form_cannot_change_anything(client, labels, kind):
    assert client.ask("/api/done", body={"file": 0, "done": True}, Content_Type=kind)[0] == 415
    assert not corrections.beside(labels).exists()


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "HEAD"])
def test_only_get_and_post(client, method):
    status, _, headers = client.ask("/api/session", method=method)
    assert status == 501 and not any(h.lower().startswith("access-control") for h in headers)


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/review.html",
        "/./review.js",
        "/labels.parquet",
        "/api",
        "/api/",
        "/api/../",
        "/review.css/..",
        "/%72eview.js",
    ],
)
def test_no_address_reaches_the_disk(client, path):
    assert client.ask(path)[0] in (400, 404)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        {"file": "0x"},
        {"file": 0},
        {"file": 0.5},
        {"file": True},
        {"file": 99, "done": True},
        {"file": -1, "done": True},
        {"file": 0, "done": 1},
        {"file": 0, "done": [1]},
        {"file": 10**400, "done": True},
        b'{"file": NaN, "done": true}',
        b'{"file": 0, "done": "\xff"}',
        b"[" * 5000,
        b" " * 20_000,
    ],
)
def test_nonsense_changes_nothing_and_is_said_in_one_line(client, labels, body):
    status, data, _ = client.ask("/api/done", body=body)
    assert status in (400, 413), data
    assert len(json.loads(data)["error"].splitlines()) == 1
    assert not corrections.beside(labels).exists()
    assert client.ask("/api/session")[0] == 200


@pytest.mark.parametrize(
    "values",
    [
        {"label": 3},
        {"label": -2},
        {"beam": "gt9x"},
        {"beam": 1},
        {"from": "a"},
        {"from": 1.0, "to": 2.0},
        {"to": float("nan")},
    ],
)
def test_a_label_that_does_not_fit_is_refused(client, labels, values):
    sent = {"file": 0, "beam": "gt1r", "from": X, "to": X + 10, "label": 1} | values
    status, data, _ = client.ask("/api/label", body=sent)
    assert status == 400 and json.loads(data)["error"]
    assert not corrections.beside(labels).exists()


@pytest.mark.parametrize(
    "query", ["columns=0", "columns=99999999", "columns=x", "from=nan", "to=-inf", "beam=..%2f", "file=9"]
)
def test_a_window_that_does_not_fit_is_refused(client, query):
    base = {"file": "0", "beam": "gt1r", "from": str(X), "to": str(X + 100), "columns": "10"}
    base |= dict([query.split("=")])
    assert client.ask("/api/window?" + "&".join(f"{k}={v}" for k, v in base.items()))[0] == 400


# ---- what it does ------------------------------------------------------------------------------------


def test_a_stretch_is_saved_undone_and_brought_back(client, labels):
    path, before = corrections.beside(labels), client.file()
    assert counted(before) == {"0": 1725, "1": 100, "2": 150, "-1": 25}
    state = client.change("label", beam="gt1r", **{"from": X - 0.4, "to": X + 19.3}, label=1)
    assert counted(state) == {"0": 1725, "1": 110, "2": 140, "-1": 25} and counted(state, "gt2r") == counted(
        before, "gt2r"
    )
    (line,) = [json.loads(t) for t in path.read_text().splitlines()]
    assert line | {"id": 0, "time": 0} == {
        "id": 0,
        "time": 0,
        "who": "me",
        "granule": label_tables.GRANULE,
        "action": "label",
        "beam": "gt1r",
        "x_atc": [X, X + 18.0],
        "from": {"2": 10},
        "to": 1,
    }
    assert state["undo"]["id"] == line["id"] and state["redo"] is None
    state = client.change("undo", id=state["undo"]["id"])
    assert [b["labels"] for b in state["beams"]] == [b["labels"] for b in before["beams"]] and state["undo"] is None
    state = client.change("redo", id=state["redo"]["id"])
    assert counted(state)["1"] == 110 and len(path.read_text().splitlines()) == 3
    merged = corrections.apply(io.read_table(labels), corrections.read(path))
    assert corrections.counts(np.array(merged["label"].to_pylist()[:2000])) == counted(state)


def test_undo_of_something_else_than_what_the_page_shows_is_refused(client):
    first = client.change("label", beam="gt1r", **{"from": X, "to": X + 10}, label=1)["undo"]["id"]
    client.change("done", done=True)
    status, data, _ = client.ask("/api/undo", body={"file": 0, "id": first})
    assert status == 409 and "not the last change" in json.loads(data)["error"]
    assert client.ask("/api/redo", body={"file": 0, "id": first})[0] == 409


def test_a_shift_is_kept_from_where_the_labels_were_sampled(client, labels):
    before = client.file()
    assert before["shift"] == before["sampled_shift"] == [120.0, -40.0]
    state = client.change("shift", east=150.0, north=-60.5)
    assert (
        state["shift"] == [150.0, -60.5]
        and state["sampled_shift"] == [120.0, -40.0]
        and state["beams"] == before["beams"]
    )
    line = json.loads(corrections.beside(labels).read_text())
    assert line["from"] == [120.0, -40.0] and line["to"] == [150.0, -60.5]
    assert corrections.shift(corrections.read(corrections.beside(labels)), granule=label_tables.GRANULE) == (
        150.0,
        -60.5,
    )
    assert client.change("undo", id=state["undo"]["id"])["shift"] == [120.0, -40.0]
    assert client.ask("/api/shift", body={"file": 0, "east": 1e9, "north": 0})[0] == 400


def test_windows_follow_the_corrections(client):
    from ...report.test_review import decoded

    ask = f"/api/window?file=0&beam=gt1r&from={X - 1}&to={X + 99}&columns=100"
    assert decoded(client.ask(ask)[1])["kind"].tolist() == [2] * 30 + [1] * 20
    version = client.file()["version"]
    state = client.change("label", beam="gt1r", **{"from": X + 10, "to": X + 18}, label=-1)
    got = decoded(client.ask(ask)[1])
    assert (
        got["kind"].tolist() == [2] * 5 + [4] * 5 + [2] * 20 + [1] * 20
        and got["person"].tolist() == [0] * 5 + [1] * 5 + [0] * 40
    )
    assert state["version"] != version
    found = json.loads(client.ask(f"/api/segment?file=0&beam=gt1r&x={X + 14.6}")[1])
    assert (
        found["x"] == X + 14
        and found["label"] == "unlabelled"
        and found["source"] == "person"
        and found["flag"] == "set_aside_by_person"
    )
    run = json.loads(client.ask(f"/api/run?file=0&beam=gt1r&x={X + 14.6}&step=0&unlabelled=0")[1])
    assert (run["from"], run["to"], run["n"]) == (X + 10, X + 18, 5)
    run = json.loads(client.ask(f"/api/run?file=0&beam=gt1r&x={X}&step=1&unlabelled=1")[1])
    assert (run["from"], run["n"]) == (X + 100, 5)  # past what was set aside


def test_the_scene_comes_as_tiles(client):
    state = client.file()["picture"]
    assert (state["rows"], state["columns"], state["left"], state["top"], state["pixel"]) == (
        700,
        700,
        label_tables.LEFT,
        label_tables.TOP,
        [10.0, 10.0],
    )
    status, data, headers = client.ask("/api/tile?file=0&level=0&row=1&column=2")
    assert status == 200 and headers["Content-Type"] == "image/png" and data.startswith(b"\x89PNG")
    assert client.ask("/api/tile?file=0&level=0&row=9&column=0")[0] == 404


@pytest.mark.parametrize(
    ("scene", "says"),
    [(None, "without a scene"), ("gone.tif", r"gone.tif is not where"), ("broken.tif", "cannot be shown")],
)
def test_without_a_scene_the_profile_remains_and_says_so(tmp_path, scene, says):
    (tmp_path / "broken.tif").write_bytes(b"no image")
    path = label_tables.write(
        tmp_path / "labels.parquet", beams={"gt1r": label_tables.beam(50)}, scene=scene and tmp_path / scene
    )
    session = review_session.Session(review_files.find([path]), who="me")
    state = session.state(0)
    assert says in state["picture"]["why"] and state["beams"][0]["n"] == 50
    assert session.tile(0, level=0, row=0, column=0) is None


def test_progress_over_files_and_folders(tmp_path):
    for k, name in enumerate(("b/one.parquet", "a/two.parquet", "a/three.parquet")):
        label_tables.write(tmp_path / name, beams={"gt1r": label_tables.beam(30)}, granule=f"G{k}")
    io.write_json({}, tmp_path / "a" / "run.json")
    (tmp_path / "a" / "other.parquet").write_bytes(b"PAR1")
    with review.started([tmp_path / "b" / "one.parquet", tmp_path], who="me") as (server, about):
        session = server.session
        assert [p.name for p in about.files] == ["one.parquet", "three.parquet", "two.parquet"]
        session.set_done(1, done=True)
        session.set_label(2, "gt1r", x_from=X, x_to=X, label=0)
        files = session.overview()["files"]
        assert [(f["granule"], f["done"], f["changes"]) for f in files] == [
            ("G0", False, 0),
            ("G2", True, 0),
            ("G1", False, 1),
        ]
    assert not list(tmp_path.rglob("*.lock"))


def test_labels_made_anew_under_the_server_are_read_again(client, labels):
    client.change("label", beam="gt1r", **{"from": X, "to": X + 18}, label=1)
    client.change("shift", east=1.0, north=2.0)
    changed = label_tables.beam(1000, seed=3)
    changed["label"][:] = 0
    label_tables.write(labels, beams={"gt1r": changed}, shift=(1.0, 2.0))
    state = client.file()
    assert counted(state) == {"0": 990, "1": 10} and state["sampled_shift"] == state["shift"] == [1.0, 2.0]
    # the shift undone: back to what held before, not to what the new table was sampled with
    assert client.change("undo", id=state["undo"]["id"])["shift"] == [120.0, -40.0]


def test_labels_that_a_person_gave_but_no_line_gives_are_said(labels):
    table = corrections.apply(
        io.read_table(labels),
        [
            corrections.Correction(
                action="label",
                granule=label_tables.GRANULE,
                who="me",
                to=0,
                beam="gt1r",
                x_from=X,
                x_to=X + 18,
                id="a",
            )
        ],
    )
    from polynya import schema

    io.write_table(table, labels, spec=schema.LABELS, about=review_files.find([labels])[0].about)
    assert review_session.Session(review_files.find([labels]), who="me").state(0)["stale"] == 10


def test_what_is_no_label_table_is_said(tmp_path, labels):
    truth = tmp_path / "truth.parquet"
    label_tables.io.write_table(io.read_table(labels), truth, spec=label_tables.schema.LABELS)
    with pytest.raises(ProductError, match=r"no such file at .*none\.parquet"):
        review_files.find([tmp_path / "none.parquet"])
    (tmp_path / "text.parquet").write_text("x")
    with pytest.raises(ProductError, match=r"text\.parquet: is no label table"):
        review_files.find([tmp_path / "text.parquet"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProductError, match="holds no label table"):
        review_files.find([tmp_path / "empty"])
    with pytest.raises(UsageError, match="printable"), review.started([labels], who="a\x07b"):
        pass


def test_two_reviews_of_one_file_are_refused_and_a_busy_port_is_said(labels, tmp_path):
    other = label_tables.write(tmp_path / "other.parquet", beams={"gt1r": label_tables.beam(30)})
    with review.started([labels], who="me") as (server, _):
        with pytest.raises(OutputError, match="another polynya review"), review.started([other, labels], who="you"):
            pass
        with (
            pytest.raises(OutputError, match=r"port \d+: cannot be used"),
            review.started([other], who="you", port=server.server_address[1]),
        ):
            pass
    with review.started([labels], who="me"):
        pass


def test_the_socket_is_bound_to_this_computer_only(labels):
    with review.started([labels], who="me") as (server, about):
        assert server.socket.getsockname()[0] == "127.0.0.1" and about.address.startswith("http://127.0.0.1:")


# ---- killed and started again --------------------------------------------------------------------------


def start(labels: Path) -> tuple[subprocess.Popen, Client]:
    command = [sys.executable, "-m", "polynya", "review", str(labels), "--who", "me", "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    for line in process.stdout:
        if line.startswith("open "):
            return process, Client(line.split()[1])
    raise AssertionError(process.stderr.read())


def test_killed_hard_nothing_is_lost_and_the_history_goes_on(labels):
    process, client = start(labels)
    try:
        client.change("label", beam="gt1r", **{"from": X, "to": X + 18}, label=1)
        client.change("shift", east=5.0, north=6.0)
        state = client.change("label", beam="gt2r", **{"from": X, "to": X + 38}, label=0)
        state = client.change("undo", id=state["undo"]["id"])
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
    with corrections.beside(labels).open("ab") as file:
        file.write(b'{"id": "torn", "time": "20')  # what a death in the middle of a write leaves
    process, client = start(labels)
    try:
        again = client.file()
        assert again["torn"] and {k: v for k, v in again.items() if k not in ("version", "torn")} == {
            k: v for k, v in state.items() if k not in ("version", "torn")
        }
        again = client.change("redo", id=again["redo"]["id"])
        assert (
            counted(again, "gt2r")
            == counted(state, "gt2r")
            | {
                "0": counted(state, "gt2r")["0"] + 20,
                "2": counted(state, "gt2r")["2"] - 20,
            }
            and not again["torn"]
        )
        for _ in range(3):
            again = client.change("undo", id=again["undo"]["id"])
        assert again["undo"] is None and again["shift"] == [120.0, -40.0]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130 and "last line is incomplete and is ignored" in errors
        assert errors.endswith("polynya: review ended. Every change is saved; the same command resumes.\n")
    finally:
        process.kill()
    assert not list(labels.parent.glob(".*.lock"))
