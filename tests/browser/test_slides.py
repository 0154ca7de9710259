"""Every slide of every deck, as a room sees it: it has a title, fits, and says more than one thing.

The decks are made of the built book's outputs.
"""

import pytest

from tools.exports import browser, slides
from tools.toc import chapters

# Of the slide that is shown: its heading, what lies outside of it, how much there is on it.
LOOK = """() => {
  const slide = Reveal.getCurrentSlide();
  const parts = [...slide.querySelectorAll("h1, h2, p, li, img, iframe, table, pre, mjx-container")]
    .filter(part => !part.closest("aside"));
  const outside = parts.filter(part => {
    const box = part.getBoundingClientRect();
    const fits = box.left >= 0 && box.top >= 0
      && box.right <= innerWidth && box.bottom <= innerHeight;
    return box.width && !fits;
  });
  const cut = parts.filter(part => part.matches("pre") && part.scrollWidth > part.clientWidth + 2);
  const picture = slide.querySelector("img");
  const show = slide.querySelector("img, iframe, table, pre, mjx-container[display=true]");
  return {
    heading: slide.querySelector("h1, h2")?.textContent ?? "",
    outside: [...outside, ...cut].map(part => `${part.tagName} ${part.textContent.slice(0, 40)}`),
    lonely: !show && parts.filter(part => part.matches("li, p")).length < 2,
    smallest: Math.min(...parts.map(part => parseFloat(getComputedStyle(part).fontSize))),
    width: picture ? picture.getBoundingClientRect().width : null,
  };
}"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """The address of all decks, made once."""
    folder = tmp_path_factory.mktemp("slides")
    slides.write(folder)
    with browser.served(folder) as address:
        yield address


@pytest.mark.parametrize("name", [page.rpartition("/")[2] for page in chapters()])
def test_every_slide_has_a_title_fits_and_says_more_than_one_thing(chromium, decks, name):
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto(f"{decks}/{name}.html")
    page.wait_for_function("window.Reveal?.isReady()")
    faults = []
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number})")
        seen = page.evaluate(LOOK)
        where = f"{number + 1} {seen['heading']}"
        if not seen["heading"]:
            faults.append(f"{where}: no title")
        if seen["outside"]:
            faults.append(f"{where}: outside {seen['outside']}")
        if seen["lonely"]:
            faults.append(f"{where}: one point and nothing else")
        if seen["smallest"] < 13:
            faults.append(f"{where}: text of {seen['smallest']} px")
        if seen["width"] and seen["width"] < 400:
            faults.append(f"{where}: a figure {seen['width']:.0f} px wide")
    page.close()
    assert not faults, "\n".join(faults)
