// The texts page: a placeholder goes where the cursor is, and what is wrong can be gone to.
// Everything also works without it.
(() => {
  "use strict";

  const text = () => document.getElementById("text");

  function put(placeholder) {
    text().focus();
    // Unlike setRangeText, it can be undone by Ctrl+Z.
    document.execCommand("insertText", false, placeholder);
  }

  function goTo({ start, end }) {
    text().focus();
    text().setSelectionRange(Number(start), Number(end));
  }

  function showButton() {
    const button = document.getElementById("text-show");
    if (button) button.hidden = false;
  }

  document.addEventListener("click", (event) => {
    const placeholder = event.target.closest?.("[data-insert]");
    if (placeholder) put(placeholder.dataset.insert);
    else if (event.target.id === "text-show") goTo(event.target.dataset);
  });

  document.addEventListener("htmx:after:swap", () => {
    if (!text()) return;
    text().setAttribute("aria-invalid", String(Boolean(document.getElementById("text-problem"))));
    showButton();
  });

  // What was refused is shown with its place selected.
  const button = document.getElementById("text-show");
  if (button) goTo(button.dataset);
  showButton();
})();
