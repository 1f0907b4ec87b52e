"""The HTML page of `gradcli graph` in a real Chromium: a click on a box shows what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no Chromium")
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1200,800", "--disable-dev-shm-usage"),
)


@pytest.fixture
def browser(tmp_path: Path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (*QUIET, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def test_click_pan_zoom_and_errors(gradcli, browser, tmp_path: Path):
    done = gradcli("graph", "x*sin(x)", "x=2", "--values", "-o", "graph.html")
    assert done.returncode == 0, done.stderr
    browser.get((tmp_path / "graph.html").as_uri())
    boxes = browser.find_elements("css selector", ".box")
    assert len(boxes) == 3
    product = next(box for box in boxes if "MulBackward0" in box.text)
    product.click()
    side = browser.find_element("id", "side").text
    for said in ("MulBackward0", "x*sin(x)", "1.818595", "g*sin(x)", "g*x"):
        assert said in side
    assert browser.find_element("css selector", "#source mark").text == "x*sin(x)"
    next(box for box in boxes if box.text.startswith("x\n")).click()
    assert "0.07700" in browser.find_element("id", "side").text
    svg = browser.find_element("tag name", "svg")
    before = svg.get_dom_attribute("viewBox")
    browser.find_element("id", "in").click()
    near = svg.get_dom_attribute("viewBox")
    assert float(near.split()[2]) < float(before.split()[2])
    actions = webdriver.ActionChains(browser)
    view = browser.find_element("id", "view")
    actions.move_to_element_with_offset(view, -300, -250).click_and_hold()
    actions.move_by_offset(120, 60).release().perform()
    assert svg.get_dom_attribute("viewBox") != near
    browser.find_element("id", "fit").click()
    assert svg.get_dom_attribute("viewBox") == before
    hostile = (
        "{'</script><img src=x onerror=alert(1)>': x}['</script><img src=x onerror=alert(1)>']*2"
    )
    done = gradcli("graph", hostile, "x=2", "-o", "hostile.html")
    assert done.returncode == 0, done.stderr
    browser.get((tmp_path / "hostile.html").as_uri())
    assert len(browser.find_elements("css selector", ".box")) == 2
    assert browser.find_element("id", "source").text == hostile
    assert browser.find_elements("tag name", "img") == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def unrolled(steps: int) -> tuple[str, ...]:
    """A recurrent network's loss, with its variables: five grad_fn nodes a step."""
    state = "h"
    for _ in range(steps):
        state = f"tanh(W@{state} + U@x + b)"
    return f"sum({state}**2)", "W:2,2", "U:2,2", "h:2", "x:2", "b:2"


def text_height(browser) -> float:
    """The size of the result's letters in pixels of the screen."""
    return browser.execute_script(
        "const text = document.querySelector('.box.result text');"
        "return parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a"
    )


def within(browser, selector: str) -> bool:
    """Whether all of an element is in the view, to a pixel (tiny letters are drawn larger)."""
    return browser.execute_script(
        "const view = document.getElementById('view').getBoundingClientRect();"
        "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return box.left > view.left - 1 && box.right < view.right + 1"
        " && box.top > view.top - 1 && box.bottom < view.bottom + 1",
        selector,
    )


@pytest.mark.parametrize("steps", [1, 10])
def test_a_graph_of_few_nodes_opens_whole(gradcli, browser, tmp_path: Path, steps: int):
    done = gradcli("graph", *unrolled(steps), "-o", "graph.html")
    assert done.returncode == 0, done.stderr
    browser.get((tmp_path / "graph.html").as_uri())
    assert within(browser, "svg > g")
    assert not browser.find_element("id", "hint").is_displayed()


def test_a_graph_of_500_nodes_opens_at_its_result(gradcli, browser, tmp_path: Path):
    done = gradcli("graph", *unrolled(100), "-o", "graph.html")
    assert done.returncode == 0, done.stderr
    browser.get((tmp_path / "graph.html").as_uri())
    assert len(browser.execute_script("return graph.nodes")) > 500
    assert text_height(browser) >= 9
    assert within(browser, ".box.result")
    assert not within(browser, "svg > g")
    box, view = (browser.find_element("css selector", s).rect for s in (".box.result", "#view"))
    beside = box["x"] + box["width"] / 2 - (view["x"] + view["width"] / 2)
    left, _, width, _ = browser.execute_script("return box")
    edge = left + width == pytest.approx(browser.execute_script("return full[0] + full[2] / 2") * 2)
    assert beside == pytest.approx(0, abs=2) or (beside > 0 and edge)
    assert browser.find_element("id", "hint").is_displayed()
    svg = browser.find_element("tag name", "svg")
    first = svg.get_dom_attribute("viewBox")
    browser.find_element("css selector", ".box.result").click()
    assert "SumBackward0" in browser.find_element("id", "side").text
    assert svg.get_dom_attribute("viewBox") == first
    body = browser.find_element("tag name", "body")
    body.send_keys("f")
    assert within(browser, "svg > g")
    body.send_keys("r")
    assert svg.get_dom_attribute("viewBox") == first
    browser.find_element("id", "fit").click()
    assert within(browser, "svg > g")
    browser.find_element("id", "root").click()
    assert svg.get_dom_attribute("viewBox") == first
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
