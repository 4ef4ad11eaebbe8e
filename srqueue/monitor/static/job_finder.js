/** A field that finds another job by its name or id. */

import { api, told } from "./api.js";
import { el, setText } from "./dom.js";

const PAUSE_MS = 250; // of typing, before it is looked for

/** `form` holds an input with a datalist and an element of class `finder-note`; `found` gets {id, name, ...}. */
export function jobFinder(form, found) {
  const input = form.querySelector("input");
  const list = form.querySelector("datalist");
  const note = form.querySelector(".finder-note");
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => suggest(input.value.trim(), list), PAUSE_MS);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    try {
      const card = await one(input.value.trim());
      setText(note, "");
      input.value = "";
      await found(card);
    } catch (error) {
      setText(note, told(error));
    }
  });
}

async function suggest(text, list) {
  if (text.length < 2) return;
  const { jobs } = await api.find(text).catch(() => ({ jobs: [] }));
  list.replaceChildren(...jobs.map((card) => el("option", { value: card.short }, `${card.name} (${card.state})`)));
}

/** The one job of a name, an id or the end of one. Throws an error that says why it is none. */
export async function one(text) {
  if (!text) throw new Error("Type the name of a job, or the end of its id");
  const { jobs } = await api.find(text);
  const lower = text.toLowerCase();
  const exact = jobs.filter((card) => [card.id.toLowerCase(), card.short, card.name.toLowerCase()].includes(lower));
  const fitting = exact.length ? exact : jobs;
  if (fitting.length === 1) return fitting[0];
  if (!fitting.length) throw new Error(`There is no job ${text}`);
  throw new Error(`More than one job fits: ${fitting.slice(0, 5).map((card) => `${card.short} (${card.name})`).join(", ")}`);
}
