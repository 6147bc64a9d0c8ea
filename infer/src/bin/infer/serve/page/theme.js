// Dark or light: as the system has it, until the switch says otherwise.

const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

/** What was chosen, if anything. Storage may be forbidden; then a choice lasts as long as the page. */
function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Nothing to keep it in.
  }
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

if (["dark", "light"].includes(stored())) root.dataset.theme = stored();

/** Makes a button the switch. */
export function themeSwitch(button) {
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store(root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}
