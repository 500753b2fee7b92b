"""The page in headless Chromium: the depth that predict gives, readings, files, and what it says of bad input."""

import functools
import http.server
import math
import re
import time

import browsers
import numpy as np
import pytest
import small
import trimesh
from PIL import Image

import jaxdepth
from jaxdepth import page
from jaxdepth.export import check
from jaxdepth.page import server

EXAMPLE = server.FOLDER / "examples" / "1.jpg"
ROW, COLUMN = 240, 320  # in the middle of the example


@pytest.fixture(scope="module")
def site():
    """The address of the page with the network of the package."""
    with browsers.serving(server.make(page.network_files(), port=0)) as address:
        yield address


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(site, downloads):
    """A browser that has opened the page."""
    with browsers.browser(downloads) as started:
        started.get(site)
        wait(lambda: state(started) == "ready")
        yield started


def wait(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the page did not get there in time"
        time.sleep(0.05)
    return found


def state(driver):
    return driver.execute_script("return document.body.dataset.state")


def text(driver, name):
    return driver.execute_script("return document.getElementById(arguments[0]).textContent", name)


def click(driver, selector):
    driver.execute_script("document.querySelector(arguments[0]).click()", selector)


def choose(driver, path):
    driver.find_element("id", "file").send_keys(str(path))


def point_at(driver, row, column, *, size=(480, 640), clicks=True):
    """Moves the pointer to a pixel of the depth, and clicks there."""
    script = """
        const canvas = document.getElementById("depth"), box = canvas.getBoundingClientRect();
        const [row, column, height, width, clicks] = arguments;
        const at = {clientX: box.left + (column + .5) / width * box.width,
                    clientY: box.top + (row + .5) / height * box.height, bubbles: true};
        canvas.dispatchEvent(new PointerEvent("pointermove", at));
        if (clicks) canvas.dispatchEvent(new MouseEvent("click", at));
    """
    driver.execute_script(script, row, column, *size, clicks)


@pytest.fixture(scope="module")
def shown(driver):
    """The example's depth as the page has it, [480, 640] metres."""
    click(driver, "#examples button")
    wait(lambda: state(driver) == "done")
    values = driver.execute_script("""
        const [height, width] = window.jaxdepth.size();
        const line = (row) => Array.from({length: width}, (_, column) => window.jaxdepth.depthAt(row, column));
        return Array.from({length: height}, (_, row) => line(row));
    """)
    return np.float32(values)


def test_the_example_has_the_depth_that_predict_gives(shown):
    expected = jaxdepth.load().predict(EXAMPLE).depth
    assert shown.shape == expected.shape
    middle = np.s_[120:360, 160:480]
    np.testing.assert_allclose(shown[middle], expected[middle], rtol=0.01)
    assert np.abs(shown / expected - 1).mean() < 0.003


def test_readings_and_ruler_agree_with_predict(driver, shown):
    point_at(driver, ROW, COLUMN, clicks=False)
    assert float(text(driver, "reading").removesuffix(" m")) == pytest.approx(shown[ROW, COLUMN], abs=0.006)
    point_at(driver, ROW, COLUMN)
    point_at(driver, ROW + 100, COLUMN - 150)
    points = jaxdepth.load().predict(EXAMPLE).points()
    distance = math.dist(points[ROW, COLUMN], points[ROW + 100, COLUMN - 150])
    measured = text(driver, "ruler")
    assert float(measured.split(" m apart")[0]) == pytest.approx(distance, rel=0.01, abs=0.005)
    depths = [float(word) for word in re.search(r"depths of (\S+) m and (\S+) m", measured).groups()]
    assert depths == pytest.approx([shown[ROW, COLUMN], shown[ROW + 100, COLUMN - 150]], rel=0.01)  # or a neighbour
    assert "NYU's camera is assumed" in measured
    click(driver, "#ruler-clear")
    assert "Choose two points" in text(driver, "ruler")


def test_downloads_hold_the_same_numbers(driver, shown, downloads):
    for kind in ("npy", "png", "ply", "glb"):
        click(driver, f"#download-{kind}")
    files = {kind: downloads / f"example-1.{kind}" for kind in ("npy", "png", "ply", "glb")}
    wait(lambda: all(file.is_file() for file in files.values()) and not list(downloads.glob("*.crdownload")))
    np.testing.assert_array_equal(np.load(files["npy"]), shown)
    with Image.open(files["png"]) as millimetres:
        assert millimetres.mode.startswith("I;16") or millimetres.mode == "I"
        np.testing.assert_allclose(np.asarray(millimetres) / 1000, shown, atol=6e-4)
    cloud = trimesh.load(files["ply"])
    points = jaxdepth.load().predict(EXAMPLE).points().reshape(-1, 3)
    assert 0.5 * len(points) < len(cloud.vertices) <= len(points)
    np.testing.assert_allclose(np.median(cloud.vertices, 0), np.median(points, 0), atol=0.1)
    upright = np.concatenate([part.vertices for part in trimesh.load(files["glb"]).geometry.values()])
    np.testing.assert_allclose(np.sort(upright[:, 1]), np.sort(-cloud.vertices[:, 1]), atol=1e-4)  # y up


def test_readings_and_ruler_by_keyboard(driver, shown):
    """As a person without a mouse: the crosshair starts in the middle, a step is a hundredth of the longer side."""
    from selenium.webdriver import Keys

    click(driver, "#examples button")  # forgets the crosshair
    wait(lambda: text(driver, "reading") == "–" and state(driver) == "done")
    canvas = driver.find_element("id", "depth")
    canvas.send_keys(Keys.ENTER)
    assert float(text(driver, "reading").removesuffix(" m")) == pytest.approx(shown[ROW, COLUMN], abs=0.006)
    canvas.send_keys(Keys.ARROW_RIGHT * 10 + Keys.ARROW_DOWN * 5 + Keys.ENTER)
    points = jaxdepth.load().predict(EXAMPLE).points()
    distance = math.dist(points[ROW, COLUMN], points[ROW + 30, COLUMN + 60])
    assert float(text(driver, "ruler").split(" m apart")[0]) == pytest.approx(distance, rel=0.01, abs=0.006)
    canvas.send_keys(Keys.ESCAPE)
    assert "Choose two points" in text(driver, "ruler")


def test_each_scale_has_its_own_depth(driver, shown):
    names = driver.execute_script("return [...document.querySelectorAll('#outputs input')].map((x) => x.value)")
    assert names == ["fusion", *(f"scale{k}" for k in range(1, 7))]
    click(driver, "#outputs input[value=scale6]")
    coarse = driver.execute_script("return window.jaxdepth.depthAt(240, 320)")
    expected = jaxdepth.load().predict_outputs(EXAMPLE)["scale6"][240, 320]
    assert coarse == pytest.approx(expected, rel=0.01) and coarse != shown[240, 320]
    click(driver, "#outputs input[value=fusion]")


def test_another_field_of_view_changes_metres(driver, shown):
    set_view = "const x = document.getElementById('fov'); x.value = arguments[0]; x.dispatchEvent(new Event('change'))"
    driver.execute_script(set_view, "30")
    focal = 320 / math.tan(math.radians(15))
    ratio = focal / math.sqrt(518.8579 * 519.4696)
    found = driver.execute_script("return window.jaxdepth.depthAt(240, 320)")
    assert found == pytest.approx(min(10, ratio * shown[240, 320]), rel=1e-3)
    assert "As you set it: field of view 30" in text(driver, "focal")
    driver.execute_script(set_view, "175")
    assert "between 3 and 150 degrees" in text(driver, "status")
    click(driver, "#fov-clear")
    assert driver.execute_script("return window.jaxdepth.depthAt(240, 320)") == pytest.approx(shown[240, 320])


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"not a picture", "notes.txt", "picture"),
        (b"", "empty.jpg", "empty"),
        (b"\0\0\0\x18ftypheic", "a.heic", "HEIC"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(driver, shown, tmp_path, content, name, told):
    (tmp_path / name).write_bytes(content)
    choose(driver, tmp_path / name)
    wait(lambda: state(driver) == "failed")
    assert told in text(driver, "status") and text(driver, "status").endswith(".")
    click(driver, "#examples button")  # it stays usable
    wait(lambda: state(driver) == "done")


def test_a_portrait_with_exif_is_upright_and_has_its_focal_length(driver, shown, tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).resize((400, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif.get_ifd(0x8769)[0xA405] = 26  # mm on 35 mm film
    picture.save(tmp_path / "portrait.jpg", exif=exif, quality=95)
    choose(driver, tmp_path / "portrait.jpg")
    wait(lambda: state(driver) == "done" and "26 mm" in text(driver, "focal"))
    expected = jaxdepth.load().predict(tmp_path / "portrait.jpg")
    assert driver.execute_script("return window.jaxdepth.size()") == [400, 300]
    found = driver.execute_script("return window.jaxdepth.depthAt(200, 150)")
    assert found == pytest.approx(expected.depth[200, 150], rel=0.01)
    focal = driver.execute_script("return window.jaxdepth.intrinsics().fx")
    assert focal == pytest.approx(expected.intrinsics.fx)


def test_transparent_parts_lie_over_white_as_in_predict(driver, shown, tmp_path):
    picture = Image.open(EXAMPLE).resize((400, 300)).convert("RGBA")
    picture.putalpha(Image.fromarray(np.repeat(np.uint8([[0, 128, 255]]), 160, 1)).resize(picture.size))
    picture.save(tmp_path / "cut out.png")
    choose(driver, tmp_path / "cut out.png")
    wait(lambda: state(driver) == "done" and driver.execute_script("return window.jaxdepth.size()") == [300, 400])
    expected = jaxdepth.load().predict(tmp_path / "cut out.png").depth
    for row, column in ((50, 50), (150, 200), (250, 350)):
        found = driver.execute_script("return window.jaxdepth.depthAt(arguments[0], arguments[1])", row, column)
        assert found == pytest.approx(expected[row, column], rel=0.01)


def test_a_camera_that_is_not_allowed_or_not_there_is_told(driver, shown):
    for name, told in (("NotAllowedError", "allow"), ("NotFoundError", "camera")):
        driver.execute_script(
            "const media = navigator.mediaDevices; media.real ??= media.getUserMedia;"
            "media.getUserMedia = () => Promise.reject(new DOMException('', arguments[0]))",
            name,
        )
        click(driver, "#camera-start")
        wait(lambda: state(driver) == "failed")
        assert told in text(driver, "status")
        click(driver, "#examples button")
        wait(lambda: state(driver) == "done")
    driver.execute_script("navigator.mediaDevices.getUserMedia = navigator.mediaDevices.real")


@pytest.mark.slow
def test_fifty_megapixels_are_scaled_and_shown(driver, shown, tmp_path):
    with Image.open(EXAMPLE) as example:
        example.resize((8660, 5773)).save(tmp_path / "large.jpg", quality=85)
    choose(driver, tmp_path / "large.jpg")
    wait(lambda: state(driver) == "done" and driver.execute_script("return window.jaxdepth.size()")[0] != 480)
    height, width = driver.execute_script("return window.jaxdepth.size()")
    assert 1_900_000 < height * width < 2_100_000
    found = driver.execute_script("return window.jaxdepth.depthAt(arguments[0], arguments[1])", height // 2, width // 2)
    expected = jaxdepth.load().predict(tmp_path / "large.jpg").depth[5773 // 2, 8660 // 2]
    assert found == pytest.approx(expected, rel=0.03)


def test_the_camera_gives_frames(driver, shown):
    click(driver, "#camera-start")
    wait(lambda: "frames per second" in text(driver, "fps"))
    assert float(text(driver, "fps").split()[0]) > 0
    live = wait(lambda: driver.execute_script("return window.jaxdepth.depthAt(5, 5)"))
    assert 0.001 <= live <= 10
    click(driver, "#camera-stop")
    wait(lambda: state(driver) == "done")
    assert text(driver, "status").startswith("Done in")  # its last picture, as a photo


def test_a_camera_clicked_twice_is_one_and_what_stops_by_itself_is_told(driver, shown):
    driver.execute_script(
        "const media = navigator.mediaDevices; media.real ??= media.getUserMedia; window.streams = [];"
        "media.getUserMedia = async (wish) => {"
        "  const stream = await media.real(wish); window.streams.push(stream); return stream; };"
        "const button = document.getElementById('camera-start'); button.click(); button.click();"
    )
    wait(lambda: "frames per second" in text(driver, "fps"))
    assert driver.execute_script("return window.streams.length") == 1
    click(driver, "#outputs input[value=scale3]")  # no cloud while it is on
    click(driver, "#outputs input[value=fusion]")
    assert "The camera is on" in text(driver, "status") and "when you stop" in text(driver, "cloud-message")
    driver.execute_script("for (const track of window.streams[0].getTracks()) track.stop()")  # as if unplugged
    wait(lambda: text(driver, "status") == "The camera has stopped.")
    assert not text(driver, "fps") and driver.find_element("id", "camera-start").is_displayed()
    click(driver, "#camera-start")  # a photo that is chosen while the user is asked comes first
    click(driver, "#examples button")
    wait(lambda: state(driver) == "done" and driver.execute_script("return window.jaxdepth.size()") == [480, 640])
    wait(lambda: driver.execute_script("return window.streams.every((stream) => !stream.active)"))
    driver.execute_script("navigator.mediaDevices.getUserMedia = navigator.mediaDevices.real")


def test_nothing_is_asked_of_another_host(driver, shown, site):
    asked = [url for url in browsers.requests(driver) if not url.startswith(("blob:", "data:"))]
    assert asked and all(url.startswith(site) for url in asked)
    severe = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe


def test_it_fits_a_phone_and_a_sub_path_of_any_host(tmp_path):
    """The folder of plain files, below a path, by Python's own server."""
    (tmp_path / "web").mkdir()
    page.write("package", tmp_path / "web" / "depth")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "web")
    plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with browsers.serving(plain) as address, browsers.browser(tmp_path, size=(390, 844)) as phone:
        phone.get(f"{address}depth/")
        wait(lambda: state(phone) == "ready")
        click(phone, "#examples button")
        wait(lambda: state(phone) == "done")
        assert phone.execute_script("return document.documentElement.scrollWidth") <= 390


def test_a_network_of_ones_own_whose_crop_is_not_its_frame(tmp_path):
    run = small.random_run(tmp_path / "run")
    picture = np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "wide.png")
    with browsers.serving(server.make(page.network_files(run), port=0)) as address, browsers.browser(tmp_path) as own:
        own.get(address)
        wait(lambda: state(own) == "ready")
        choose(own, tmp_path / "wide.png")
        wait(lambda: state(own) == "done")
        found = [
            own.execute_script("return window.jaxdepth.depthAt(arguments[0], arguments[1])", 20, c) for c in (5, 45)
        ]
    averaged = page.program.build(jaxdepth.load(run), flip="inside")
    predictor = check.Exported(
        jaxdepth.load(run).trained, functools.partial(averaged.metres, averaged.variables), "inside"
    )
    assert found == pytest.approx(predictor.predict(picture).depth[20, [5, 45]], rel=5e-3)


def test_a_lost_network_and_no_webassembly_are_told(tmp_path):
    with browsers.serving(server.make(tmp_path, port=0)) as address, browsers.browser(tmp_path) as started:
        started.get(address)
        wait(lambda: state(started) == "failed")
        assert "is not on the server" in text(started, "status")
        assert started.find_element("id", "retry").is_displayed()
        gone = {"source": "delete window.WebAssembly"}
        started.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", gone)
        started.get(address)
        wait(lambda: state(started) == "failed")
        assert "WebAssembly" in text(started, "status")
