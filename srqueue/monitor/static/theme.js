/** Colours of plots, in light and dark, as the page has them. */

// Okabe and Ito's palette, told apart by the colour-blind; blue and black are lighter on dark ground.
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07d00", "#3a9bd9", "#7a5195", "#555555"];
const DARK = ["#56b4e9", "#ff8a3d", "#2fc79a", "#e59cc6", "#f0c541", "#8ecbff", "#b79ae0", "#bbbbbb"];
const MARKS = {
  light: { action: "#8a5a00", checkpoint: "#8d9aa5", restart: "#b42318", warning: "#a15c00", error: "#b42318" },
  dark: { action: "#e4a44b", checkpoint: "#75808a", restart: "#ff7b72", warning: "#e4a44b", error: "#ff7b72" },
};

export function isDark() {
  return document.documentElement.getAttribute("data-bs-theme") === "dark";
}

export function theme() {
  const style = getComputedStyle(document.body);
  const dark = isDark();
  return {
    text: style.color,
    grid: dark ? "#2c352a" : "#e6e9e4",
    muted: dark ? "#aab5a5" : "#667061",
    surface: dark ? "#1b2219" : "#ffffff",
    lines: dark ? DARK : LIGHT,
    marks: MARKS[dark ? "dark" : "light"],
  };
}

/** Calls back when the person, or the system, changes between light and dark. */
export function onThemeChange(callback) {
  new MutationObserver(callback).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
