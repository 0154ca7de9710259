// A page that was read to its end has a tick beside its name. Only this browser knows.
addEventListener("load", () => {
  const KEY = "lossbook-read";
  const addressOf = (link) => new URL(link, location.href).pathname;
  let read;
  try {
    read = new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
  } catch {
    return; // no storage, as in private windows
  }

  function tick() {
    for (const link of document.querySelectorAll(".bd-links a.internal, a.card-of-page")) {
      if (!read.has(addressOf(link.href)) || !/\/notebooks\//.test(link.href)) continue;
      (link.querySelector(".card-title") ?? link).classList.add("was-read");
    }
  }

  tick();
  const end = document.querySelector(".prev-next-footer");
  if (!end) return;
  new IntersectionObserver(([{ isIntersecting }], observer) => {
    if (!isIntersecting) return;
    observer.disconnect();
    read.add(location.pathname);
    localStorage.setItem(KEY, JSON.stringify([...read]));
    tick();
  }).observe(end);
});
