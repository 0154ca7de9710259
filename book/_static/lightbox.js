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

  function show(picture) {
    const large = picture.cloneNode();
    large.width = Math.max(picture.naturalWidth, picture.clientWidth);
    box.append(large);
    box.showModal();
    box.scrollTo(0, 0);
  }

  // Sphinx makes a figure a link to its file.
  for (const link of document.querySelectorAll(".bd-article a.image-reference")) {
    const picture = link.querySelector("img");
    if (!picture || link.closest(".hero, .lossbook-widget")) continue;
    link.classList.add("figure-opener");
    link.title = "Enlarge";
    link.addEventListener("click", (event) => {
      event.preventDefault();
      show(picture);
    });
  }
});
