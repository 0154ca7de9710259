// The first time that a chapter uses a symbol, its meaning shows when you point at it, tap it or
// come to it with the Tab key. tools/book/symbols.py writes the meanings into the page.
addEventListener("load", async () => {
  const meanings = new Map();
  for (const meaning of document.querySelectorAll(".symbol-meaning")) {
    meanings.set(meaning.dataset.symbol, meaning);
  }
  if (!meanings.size || !window.MathJax?.startup) return;
  await MathJax.startup.promise;
  for (const { math, typesetRoot } of MathJax.startup.document.math) {
    const symbol = math.split("\\in ")[0].trim();
    const formula = typesetRoot.closest("span.math");
    if (formula?.closest(".symbol-meaning")) typesetRoot.tabIndex = -1;
    else if (formula && meanings.has(symbol) && !formula.closest("h1, h2, h3, h4, a, details, .dropdown")) {
      explain(formula, typesetRoot, meanings.get(symbol));
      meanings.delete(symbol);
    }
  }

  function explain(formula, focusable, meaning) {
    const place = document.createElement("span");
    place.className = "symbol";
    formula.replaceWith(place);
    place.append(formula, meaning);
    focusable.tabIndex = 0;
    focusable.setAttribute("aria-describedby", meaning.id);
    for (const kind of ["mouseenter", "focusin", "click"]) place.addEventListener(kind, open);
    for (const kind of ["mouseleave", "focusout"]) place.addEventListener(kind, close);
    addEventListener("keydown", ({ key }) => key === "Escape" && close());

    // Below the symbol, and moved to the left where the window ends.
    function open() {
      meaning.hidden = false;
      meaning.style.left = 0;
      const end = meaning.getBoundingClientRect().right;
      meaning.style.left = `${Math.min(0, document.documentElement.clientWidth - 8 - end)}px`;
    }

    function close() {
      meaning.hidden = true;
    }
  }
});
