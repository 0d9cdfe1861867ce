"""The HTML report in a real browser: at two widths, in light and dark."""

import pytest

from keras_optimizers.conformance import html_report, references
from keras_optimizers.conformance.checks import COMPARED
from keras_optimizers.conformance.context import Context
from keras_optimizers.conformance.subject import RecordedSubject
from tests.conformance import browser

pytestmark = pytest.mark.xdist_group("browser")

WIDTHS = {"phone": 390, "desk": 1280}
LIGHT, DARK = "light", "dark"

# The contrast of every text with what is behind it, as web pages define it; the worst of all.
WORST_CONTRAST = """
(() => {
  const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = [99, ""];
  for (const element of document.querySelectorAll("h1,h2,p,li,th,td,.cell,pre,summary,code,text")) {
    const style = getComputedStyle(element);
    const front = element.tagName === "text" ? style.fill : style.color;
    const pair = [light(front), light(behind(element))].sort((a, b) => a - b);
    const contrast = (pair[1] + 0.05) / (pair[0] + 0.05);
    if (contrast < worst[0]) worst = [contrast, element.tagName + "." + element.className];
  }
  return worst;
})()
"""
BRIGHTNESS = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)[0]"
BEYOND_THE_EDGE = """
[...document.querySelectorAll(".cell,h1,.verdict,pre,svg,summary,td,th")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.tagName + ": " + e.textContent.slice(0, 40))
"""


@pytest.fixture(scope="module")
def opened():
    """A browser; skips where there is none."""
    path = browser.find()
    if path is None:
        pytest.skip(
            "no Chromium here: install one (Debian: apt-get install chromium), or name it in the "
            "environment variable CHROMIUM"
        )
    with browser.Browser(path) as one:
        yield one


def results_of(version, class_name, name):
    subject = RecordedSubject(references.load_reference(version), class_name)
    subject.name = name
    context = Context(subject, "tf-1.10")
    return [result for check, run in COMPARED.items() for result in run(context, check)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with what conforms, what is documented and what fails."""
    found = results_of("tf-1.15", "SGD", "SGD") + results_of("tf-1.15", "Nadam", "Nadam")
    found += results_of("tf-1.15-v2", "Adagrad", "MyAdagrad")
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_report.page(found), encoding="utf-8")
    return str(path)


@pytest.fixture(params=[(w, s) for w in WIDTHS for s in (LIGHT, DARK)], ids="-".join)
def shown(request, opened, page):
    """The browser with the page at a width in a colour scheme, and that scheme."""
    width, scheme = request.param
    opened.show(page, WIDTHS[width], scheme)
    return opened, scheme


def test_nothing_lies_beyond_the_edge(shown):
    opened, _ = shown
    assert opened.ask("document.documentElement.scrollWidth <= innerWidth")
    assert opened.ask(BEYOND_THE_EDGE) == []


def test_the_verdict_and_what_fails_are_seen_without_scrolling(shown):
    opened, _ = shown
    words = opened.ask("document.querySelector('.verdict').textContent")
    assert words.endswith("comparisons fail")
    assert opened.ask("document.querySelector('.verdict').getBoundingClientRect().bottom") < 250
    first = "document.querySelector('.verdict + ul li')"
    assert opened.ask(first + ".textContent").startswith("MyAdagrad against tf-1.10: trajectory")
    assert opened.ask("document.querySelector('.matrix').getBoundingClientRect().top") < 600
    assert opened.ask("document.querySelector('.matrix tbody th').textContent").startswith("MyA")


def test_every_text_can_be_read_on_what_is_behind_it(shown):
    opened, scheme = shown
    contrast, where = opened.ask(WORST_CONTRAST)
    assert contrast >= 4.5, where
    assert (opened.ask(BRIGHTNESS) < 60) == (scheme == DARK)


def test_every_failure_shows_a_curve(shown):
    opened, _ = shown
    sizes = opened.ask(
        "[...document.querySelectorAll('details[open] svg polyline')]"
        ".map((e) => [e.getBoundingClientRect().width, e.getBoundingClientRect().height])"
    )
    assert sizes and all(width > 200 for width, _ in sizes)
    assert any(height > 40 for _, height in sizes)


def test_the_picture_is_not_one_colour(shown, tmp_path):
    opened, _ = shown
    path = tmp_path / "page.png"
    opened.picture(str(path))
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20000
