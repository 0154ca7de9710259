// Part of Sphinx's searchtools.js, by html_search_scorer. Chapters come before the library, and what
// is shown of a page is its text: no list of contents, no code, no TeX.
var Scorer = {
  score: ([page, , , , score]) => (page.startsWith("book/api") ? score - 30 : score),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const SYMBOLS = { theta: "θ", psi: "ψ", lambda: "λ", pi: "π", tau: "τ", Delta: "Δ", varphi: "φ", le: "≤", ge: "≥",
    lVert: "‖", rVert: "‖", cdot: "·", sum: "Σ", infty: "∞", ne: "≠", cos: "cos", sin: "sin", ln: "ln", exp: "exp" };
  const plain = (tex) => tex
    .replace(/\\([a-zA-Z]+)/g, (_, name) => SYMBOLS[name] ?? "")
    .replace(/[\\{}$]|\s+(?=[,.])/g, "");

  Search.htmlToText = (html, anchor) => {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector(".bd-article");
    const place = (anchor && article?.querySelector(anchor)) || article;
    if (!place) return "";
    place.querySelectorAll("h1, script, style, .headerlink, .cell_input, .cell_output, .lossbook-widget")
      .forEach((element) => element.remove());
    return place.textContent
      .replace(/\\\((.*?)\\\)/gs, (_, tex) => plain(tex))
      .replace(/\\\[.*?\\\]/gs, "…");
  };
});
