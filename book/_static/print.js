// Paper is white: a dark page turns light for as long as it is printed.
{
  const root = document.documentElement, paper = matchMedia("print");
  let own = null;
  const dress = printing => {
    if (printing && own === null) {
      own = root.dataset.theme;
      root.dataset.theme = "light";
    } else if (!printing && own !== null) {
      root.dataset.theme = own;
      own = null;
    }
  };
  addEventListener("beforeprint", () => dress(true));
  addEventListener("afterprint", () => dress(false));
  paper.addEventListener("change", () => dress(paper.matches));
}
