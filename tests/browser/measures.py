"""Measures of a page in a browser: layout shift, broken words, small targets, what sticks out."""

from playwright.sync_api import Page

#: pixels; a browser's usual size of text is half of it
LARGE = 32

SHIFTS = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => resolve(sum), 100));
})"""

#: names, prizes and what people type have no language of ours; keys are long by nature
BROKEN_WORDS = """() => {
    const theirs = "bdi, code, pre, .prize, h3[dir], [lang=''], .name, summary, svg, option, .own";
    const broken = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { currentNode: node } = walker;
        if (node.parentElement.closest(theirs) || !node.parentElement.checkVisibility()) continue;
        if (node.parentElement.closest(".unseen, .skip")) continue;
        for (const { 0: word, index } of node.data.matchAll(/[\\p{L}\\p{M}’]+/gu)) {
            const range = document.createRange();
            range.setStart(node, index);
            range.setEnd(node, index + word.length);
            const tops = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
            if (tops.size > 1) broken.push(word);
        }
    }
    return broken;
}"""

#: links that stand alone, and everything else that is pressed; what a line of text holds is exempt
#: (WCAG 2.2, 2.5.8)
TOO_SMALL = """() => {
    const small = [];
    for (const each of document.querySelectorAll("main a, main button, main input, main select, "
        + "main summary, nav a, header a, footer a, header button, footer button")) {
        if (!each.checkVisibility() || each.closest("[hidden], .skip")) continue;
        if (["hidden", "checkbox", "radio"].includes(each.type)) continue;
        const text = each.textContent.trim();
        const around = each.closest("p, li, td, dd, h1, h2, h3, label, figcaption, div, nav");
        if (each.matches("a") && around && around.textContent.trim() !== text) continue;
        const { width, height } = each.getBoundingClientRect();
        const least = each.matches("button:not(.link, .reveal), .button") ? 44 : 24;
        if (height < least - 0.01 || width < 24)
            small.push(`${each.tagName} ${each.className} ${text}: ${width} x ${height}`);
    }
    return small;
}"""


def broken_words(page: Page) -> list[str]:
    """List the words of a page that do not fit on a line."""
    found: list[str] = page.evaluate(BROKEN_WORDS)
    return found


def small_targets(page: Page) -> list[str]:
    """List what can be pressed and is too small: 24 pixels, and 44 for buttons."""
    found: list[str] = page.evaluate(TOO_SMALL)
    return found


def shifts(page: Page) -> float:
    """Return by how much a page has moved since it began to load."""
    found: float = page.evaluate(SHIFTS)
    return found


def enlarge(page: Page) -> None:
    """Set the browser's own size of text, as does who needs it large; what is in rem follows."""
    page.context.new_cdp_session(page).send(
        "Page.setFontSizes", {"fontSizes": {"standard": LARGE, "fixed": LARGE}}
    )


def sticking_out(page: Page, width: int) -> list[str]:
    """Return what reaches beyond the right edge out of something that does not, as HTML."""
    found: list[str] = page.evaluate(
        """width => {
            const sticksOut = element => element.getBoundingClientRect().right > width;
            return [...document.body.querySelectorAll("*")]
                .filter(element => sticksOut(element) && !sticksOut(element.parentElement))
                .map(element => element.outerHTML.slice(0, 120));
        }""",
        width,
    )
    return found
