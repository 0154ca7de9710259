// A displayed formula that is wider than its place is set in several lines: first at its gaps, then
// before a relation, then before a plus or a minus. Where a slightly smaller size is enough, it is
// that instead.
(() => {
  const RELATIONS = [..."=<>≤≥≈≠∝∈→⟹⟺"].map(codeOf);
  const SIGNS = [..."+−"].map(codeOf);
  const OPENING = [..."([{"].map(codeOf);
  const CLOSING = [...")]}"].map(codeOf);
  const SMALLER = 0.85; // preferred to another line
  const SMALLEST = 0.6;

  // MathJax names a character by its code, in the class of an element.
  function codeOf(character) {
    return "mjx-c" + character.codePointAt(0).toString(16).toUpperCase();
  }

  function isOneOf(node, codes) {
    const characters = node?.localName === "mjx-mo" ? node.querySelectorAll("mjx-c") : [];
    return characters.length === 1 && codes.some((each) => characters[0].classList.contains(each));
  }

  function isGap(node) {
    const space = node.localName === "mjx-mstyle" ? node.firstElementChild : node;
    return space?.localName === "mjx-mspace" && parseFloat(space.style.width) >= 1;
  }

  // Where a line may begin, with and without parentheses around it. Each level has those before it.
  const LEVELS = [
    { begins: () => false, inside: 0 },
    { begins: (node) => isOneOf(node, RELATIONS), inside: 0 },
    { begins: (node, last) => isOneOf(node, SIGNS) && last && !isOneOf(last, RELATIONS), inside: 0 },
    { begins: (node, last) => isOneOf(node, SIGNS) && last && !isOneOf(last, RELATIONS), inside: 1 },
  ];

  // The parts of a formula that each stay in one line.
  function split(nodes, { begins, inside }) {
    const parts = [[]];
    let parentheses = 0;
    for (const node of nodes) {
      if (parentheses <= inside && begins(node, parts.at(-1).at(-1))) parts.push([]);
      parts.at(-1).push(node);
      if (isOneOf(node, OPENING)) parentheses += 1;
      if (isOneOf(node, CLOSING)) parentheses -= 1;
      if (isGap(node) && parentheses <= inside) parts.push([]);
    }
    return parts.filter((part) => part.length);
  }

  function part(nodes) {
    const line = document.createElement("span");
    line.className = "formula-part";
    line.append(...nodes);
    return line;
  }

  function fit(container) {
    const math = container.querySelector("mjx-math");
    const size = parseFloat((container.dataset.size ??= container.style.fontSize || "100%"));
    container.style.fontSize = `${size}%`;
    const width = container.clientWidth;
    if (!math || container.scrollWidth <= width + 1) return;
    if (!math.querySelector(".formula-part")) math.replaceChildren(part([...math.childNodes]));
    const parts = () => [...math.children];
    const widest = () => Math.max(...parts().map((each) => each.scrollWidth));
    for (const level of LEVELS) {
      if (width / widest() >= SMALLER) break;
      for (const each of parts()) {
        if (each.scrollWidth > width) each.replaceWith(...split([...each.childNodes], level).map(part));
      }
    }
    const ratio = Math.min(1, (width - 2) / widest());
    container.style.fontSize = `${size * Math.max(SMALLEST, ratio)}%`;
  }

  // Also when a closed box is opened, and when the page becomes narrower or wider.
  const fitted = new WeakMap();
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (!target.clientWidth || fitted.get(target) === target.clientWidth) continue;
      fitted.set(target, target.clientWidth);
      fit(target);
    }
  });

  addEventListener("load", async () => {
    if (!window.MathJax?.startup) return;
    await MathJax.startup.promise;
    await document.fonts.ready;
    for (const container of document.querySelectorAll('mjx-container[display="true"]')) observer.observe(container);
  });
})();
