// A figure opens in its full size when it is clicked or tapped, or by the Enter key: on a phone its
// lettering is small.
addEventListener("DOMContentLoaded", () => {
  const box = document.createElement("dialog");
  box.className = "lightbox";
  box.innerHTML = '<form method="dialog"><button aria-label="Close">×</button></form>';
  box.addEventListener("click", (event) => {
    if (event.target === box) box.close();
  });
  box.addEventListener("close", () => box.querySelector("img")?.remove());
  document.querySelector(".bd-article")?.append(box);

  for (const picture of document.querySelectorAll(".bd-article :is(.cell_output, figure) img")) {
    if (picture.closest("a, button, .hero, .lossbook-widget")) continue;
    const opener = document.createElement("button");
    opener.type = "button";
    opener.className = "figure-opener";
    opener.title = "Enlarge";
    picture.replaceWith(opener);
    opener.append(picture);
    opener.addEventListener("click", () => {
      const large = picture.cloneNode();
      large.width = Math.max(picture.naturalWidth, picture.clientWidth);
      box.append(large);
      box.showModal();
      box.scrollTo(0, 0);
    });
  }
});
