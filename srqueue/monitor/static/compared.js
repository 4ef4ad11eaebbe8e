/** The jobs whose curves stand in the same plots: a chip each, with its colour. */

import { comparePage, pageOf } from "./api.js";
import { byId, el, show } from "./dom.js";
import { jobFinder } from "./job_finder.js";
import { onThemeChange, theme } from "./theme.js";

/** `curves` holds the jobs; `kept` is the id that cannot be taken away; `changed` is called with all ids. */
export class Compared {
  constructor(curves, { kept = null, changed = () => {} } = {}) {
    Object.assign(this, { curves, kept, changed });
    jobFinder(byId("compare-form"), (card) => this.add(card.id, label(card)));
    onThemeChange(() => this.draw());
  }

  async add(id, name) {
    this.curves.add(id, name);
    this.draw();
    this.changed(this.ids);
    await this.curves.refresh(id);
    this.curves.draw();
  }

  get ids() {
    return this.curves.sources.map((source) => source.id);
  }

  draw() {
    const several = this.curves.sources.length > 1;
    const colours = theme().lines;
    const chips = this.curves.sources.map((source, place) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = colours[place % colours.length];
      const away = () => {
        this.curves.remove(source.id);
        this.draw();
        this.changed(this.ids);
      };
      const button = source.id === this.kept ? null : el("button", { type: "button", class: "btn-close", "aria-label": `Take ${source.name} away`, on: { click: away } });
      return el("li", {}, swatch, el("a", { href: pageOf(source.id) }, source.name), button);
    });
    const list = byId("compare-chips");
    list.replaceChildren(...chips);
    show(list, several || this.kept === null);
    const link = byId("compare-link");
    if (link) {
      link.href = comparePage(this.ids);
      show(link, several);
    }
  }
}

/** Names are no identities: the end of the id tells two jobs of one name apart. */
export function label(card) {
  return `${card.name} (${card.short})`;
}
