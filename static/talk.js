// A thread opens at its end, and stays there while it grows unless the reader has scrolled up.
(() => {
  const near = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const down = () => { const box = document.getElementById("thread"); if (box) box.scrollTop = box.scrollHeight; };
  let follow = true;
  let kept = 0;
  down();
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "thread") return;
    follow = near(event.detail.target);
    kept = event.detail.target.scrollTop;
  });
  document.addEventListener("htmx:afterSwap", () => {
    const box = document.getElementById("thread");
    if (!box) return;
    if (follow) down(); else box.scrollTop = kept;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches(".reply textarea")) event.target.form.requestSubmit();
  });
})();
