"""The page as a browser opens it from a file, with its charts, without a network."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest
from chromium import CHROMIUM, browser

import mmvideo.report
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study
from mmvideo.report.page import render

PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const heads = [...document.querySelectorAll("table.choose")][0].tHead.rows[0].cells;
  heads[1].querySelector("button").click();
  heads[1].querySelector("button").click();
  const early = document.querySelectorAll(".chart svg").length;
  document.querySelectorAll("details").forEach(part => { part.open = true; });
  dispatchEvent(new Event("beforeprint"));
  document.documentElement.dataset.early = early;
  document.title = "requests " + performance.getEntriesByType("resource").length;
}, 2000));
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_it_draws_sorts_and_tells_its_numbers_without_a_request(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    page = render(compare(load_study(make_study(n_clips=60))), "")
    assert len(page.encode()) < 1_200_000
    file = tmp_path / "report.html"
    file.write_text(PROBE.join(page.rsplit("</body>", 1)))
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=9000", "--window-size=500,900",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"file://{file}"],
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    dom = done.stdout
    assert "<title>requests 0</title>" in dom
    charts = re.findall(r'<div class="chart.*?(?=<figcaption>)', dom, flags=re.DOTALL)
    assert len(charts) >= 5
    assert all("<svg" in chart for chart in charts), "before printing each is drawn, with the unfolded ones"
    early = re.search(r'data-early="(\d+)"', dom)
    assert early
    assert int(early[1]) < len(charts) / 2, "those far below the window are not drawn before"
    widths = [float(width) for width in re.findall(r'<svg[^>]* width="([\d.]+)"', dom)]
    assert max(widths) <= 500, "none is wider than the window"
    assert 'aria-sort="ascending"' in dom
    first_rows = dom[dom.index('aria-sort="ascending"') :]
    assert first_rows.index("majority class") < first_rows.index("hierarchical"), "the least comes first"
    assert re.search(r"The numbers of this chart</summary><div class=\"scroll\"><table>", dom)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_wide_tables_caption_is_read_without_scrolling(tmp_path: Path) -> None:
    """In the middle of a table that is wider than a phone, captions were cut off."""
    cells = "".join(f"<td>a long cell {number}</td>" for number in range(20))
    style = jinja2.Template(Path(mmvideo.report.__file__).with_name("page.css.j2").read_text()).render()
    table = f"<div class='scroll'><table><caption>{'word ' * 40}</caption><tr>{cells}</tr></table></div>"
    file = tmp_path / "page.html"
    phone = "<!doctype html><meta name='viewport' content='width=device-width'>"
    file.write_text(f"{phone}<style>{style}</style><main>{table}</main>")
    with browser(tmp_path / "profile") as tab:
        tab.open(f"file://{file}")
        tab.wait("document.querySelector('caption')")
        box = "document.querySelector('caption').getBoundingClientRect()"
        assert tab.value("document.querySelector('table').getBoundingClientRect().width") > 1000
        assert tab.value(f"{box}.left") >= 0
        assert tab.value(f"{box}.right") <= 390
        assert tab.value(f"{box}.width") > 300


SHOWN = "[...document.querySelectorAll('#forest, #forest-chosen')].filter(c => c.offsetWidth).map(c => c.id)"
TEXTS = (
    "[...document.querySelectorAll('{} text')].map(text => [text, text.getBoundingClientRect()])"
    ".map(([text, box]) => [text.textContent, box.left, box.right])"
)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_long_names_and_another_reference_on_a_phone(
    make_study: Callable[..., Path], fake_arm: type, tmp_path: Path
) -> None:
    """Names of 35 characters took the plot's room, 50 pixels were left; and there was one reference only."""
    long = "hierarchical attention, stem + clip"
    arms = {
        long: fake_arm(0.8), "late": fake_arm(0.6),
        "visual": fake_arm(0.5, ("visual",), "control", "single"),
    }  # fmt: skip
    file = tmp_path / "report.html"
    file.write_text(render(compare(load_study(make_study(arms, n_clips=60))), ""))
    with browser(tmp_path / "profile") as tab:
        tab.open(f"file://{file}")
        tab.wait("document.querySelector('#reference') && !document.querySelector('#reference').hidden")
        tab.value("document.querySelector('#reference').scrollIntoView()")
        tab.wait("document.querySelector('#forest svg')")
        plots = (
            "[...document.querySelectorAll('#forest .background')].map(b => b.getBoundingClientRect().width)"
        )
        tab.wait(f"{plots}.some(width => width > 250)")
        texts = tab.value(TEXTS.format("#forest"))
        assert [text for text, *_ in texts].count(long) == 2, "whole, in both panels"
        assert min(left for _, left, _ in texts) >= 0
        assert max(right for *_, right in texts) <= 390
        tab.value("document.querySelector('#reference select').focus()")
        for kind in ("keyDown", "keyUp"):
            tab.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="ArrowDown",
                code="ArrowDown",
                windowsVirtualKeyCode=40,
            )
        tab.wait("document.querySelector('#forest-chosen svg')")
        assert tab.value(SHOWN) == ["forest-chosen"]
        assert f"difference to {long}, points" in [
            text for text, *_ in tab.value(TEXTS.format("#forest-chosen"))
        ]
        told = tab.value("document.querySelector('[aria-live].chosen').textContent")
        assert told == f"Differences to {long}: 95 % intervals for one comparison, “fusion against fusion”."
        assert tab.value("document.documentElement.scrollWidth") <= 390
        tab.call("Emulation.setEmulatedMedia", media="print")
        assert tab.value(SHOWN) == ["forest"], "on paper, the first reference"
