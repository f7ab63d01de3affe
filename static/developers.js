// The documentation with a script: samples can be copied, and the language chosen once is chosen everywhere.
(() => {
  const chosen = "hermod-language";
  const remember = (language) => { try { localStorage.setItem(chosen, language); } catch { /* a private window */ } };
  const remembered = () => { try { return localStorage.getItem(chosen); } catch { return null; } };
  const choose = (language) => {
    for (const tab of document.querySelectorAll(`.samples > input[data-language="${language}"]`)) tab.checked = true;
  };

  for (const code of document.querySelectorAll(".samples pre > code, .sample pre > code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.dataset.copyFrom = code.id;
    button.textContent = "Copy";
    code.parentElement.after(button);
  }
  const before = remembered();
  if (before && /^[a-z]+$/.test(before)) choose(before);
  document.addEventListener("change", (event) => {
    const language = event.target.dataset?.language;
    if (!language) return;
    const place = event.target.getBoundingClientRect().top;
    choose(language);
    remember(language);
    scrollBy(0, event.target.getBoundingClientRect().top - place); // what was under the finger stays there
  });
})();
