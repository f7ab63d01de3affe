// What a page may do without htmx: the theme, the drawer, copying, dialogs, asking before something ends.
(() => {
  const root = document.documentElement;
  const year = 60 * 60 * 24 * 365;

  const shown = () => root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const setTheme = (theme) => {
    root.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${theme}; path=/; max-age=${year}; SameSite=Lax${secure}`;
  };

  const drawer = (open) => {
    const sidebar = document.getElementById("sidebar");
    if (!sidebar) return;
    sidebar.classList.toggle("open", open);
    for (const veil of document.querySelectorAll(".veil")) veil.hidden = !open;
    for (const button of document.querySelectorAll("[data-drawer]")) button.setAttribute("aria-expanded", String(open));
    if (open) sidebar.querySelector("a, summary")?.focus();
  };

  const say = (text) => {
    const place = document.getElementById("live");
    if (place) place.textContent = text;
  };

  const copy = async (button) => {
    const source = button.dataset.copy || document.getElementById(button.dataset.copyFrom)?.textContent || "";
    try {
      await navigator.clipboard.writeText(source.trim());
    } catch {
      const area = document.createElement("textarea"); // an http address has no clipboard of its own
      area.value = source.trim();
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const done = button.dataset.done || "✓";
    const before = button.dataset.before ?? button.textContent;
    button.dataset.before = before;
    button.textContent = done;
    say(done);
    setTimeout(() => { button.textContent = before; }, 1600);
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-theme-toggle], [data-drawer], .veil, [data-copy], [data-copy-from], [data-opens], [data-closes], [data-dismiss]");
    if (!target) return;
    if (target.matches("[data-theme-toggle]")) { event.preventDefault(); setTheme(shown() === "dark" ? "light" : "dark"); }
    else if (target.matches(".veil")) drawer(false);
    else if (target.matches("[data-drawer]")) drawer(target.getAttribute("aria-expanded") !== "true");
    else if (target.matches("[data-copy], [data-copy-from]")) copy(target);
    else if (target.matches("[data-opens]")) document.getElementById(target.dataset.opens)?.showModal();
    else if (target.matches("[data-closes]")) target.closest("dialog")?.close();
    else if (target.matches("[data-dismiss]")) target.closest(".notice")?.remove();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    drawer(false);
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
    if (question && !confirm(question)) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const input of document.querySelectorAll("input[data-zone]")) if (!input.value) input.value = zone || "";
})();
