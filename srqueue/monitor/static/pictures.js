/** Validation pictures: one crop over time, wiped against bicubic and the original, and its difference. */

import { api, pictureUrl, told } from "./api.js";
import { drawDifference, psnr } from "./difference.js";
import { byId, el, setText, show } from "./dom.js";
import { Wipe } from "./wipe.js";

const PAIRS = { "bicubic-model": ["bicubic", "model"], "model-original": ["model", "original"], "bicubic-original": ["bicubic", "original"] };

export class Pictures {
  constructor(id) {
    this.id = id;
    this.crops = [];
    this.iterations = [];
    this.images = { bicubic: byId("picture-bicubic"), model: byId("picture-model"), original: byId("picture-original") };
    this.slider = byId("picture-iteration");
    this.wipe = new Wipe({ frame: byId("picture-frame"), over: this.images.model, line: byId("wipe-line"), range: byId("wipe") });
    this.slider.addEventListener("input", () => this.load());
    byId("picture-crop").addEventListener("change", () => this.load());
    byId("difference-gain").addEventListener("input", () => this.measure());
    for (const input of document.querySelectorAll("input[name=picture-view]")) input.addEventListener("change", () => this.arrange());
    for (const image of Object.values(this.images)) image.addEventListener("load", () => this.measure());
    this.arrange();
  }

  /** Asks for what there is; the slider follows the newest where it stood there. */
  async refresh() {
    let answer;
    try {
      answer = await api.pictures(this.id);
    } catch (error) {
      this.note(told(error));
      return;
    }
    this.note(answer.note ?? (answer.crops.length ? "" : "No picture yet: the first comes with the first validation."));
    show(byId("pictures"), answer.crops.length > 0 && answer.iterations.length > 0);
    if (!answer.crops.length || !answer.iterations.length) return;
    const followed = Number(this.slider.value) >= this.iterations.length - 1;
    const seen = this.iterations[Number(this.slider.value)];
    const before = JSON.stringify([this.crops, this.iterations]);
    this.crops = answer.crops;
    this.iterations = answer.iterations;
    if (JSON.stringify([this.crops, this.iterations]) === before) return;
    this.offer();
    const last = this.iterations.length - 1;
    this.slider.max = last;
    // Old iterations are thinned while a run grows: what was looked at may be gone, its neighbour stays.
    const near = this.iterations.findLastIndex((iteration) => iteration <= seen);
    this.slider.value = followed ? last : Math.max(0, near);
    this.slider.disabled = last === 0;
    this.load();
    this.strip();
  }

  note(text) {
    setText(byId("picture-note"), text);
    show(byId("picture-note"), text !== "");
  }

  offer() {
    const select = byId("picture-crop");
    const before = select.value || "0";
    select.replaceChildren(...this.crops.map((crop, index) => el("option", { value: index }, crop.name)));
    select.value = Number(before) < this.crops.length ? before : "0";
  }

  get crop() {
    return Number(byId("picture-crop").value);
  }

  get iteration() {
    return this.iterations[Number(this.slider.value)];
  }

  load() {
    const { name } = this.crops[this.crop];
    for (const [what, image] of Object.entries(this.images)) {
      const source = pictureUrl(this.id, this.crop, what === "model" ? this.iteration : what);
      if (image.getAttribute("src") !== source) image.src = source;
      image.alt = what === "model" ? `${name}, the model at iteration ${this.iteration}` : `${name}, ${what}`;
    }
    const shown = `iteration ${this.iteration.toLocaleString("en-GB")}`;
    setText(byId("picture-iteration-value"), shown);
    this.slider.setAttribute("aria-valuetext", shown);
    for (const button of byId("picture-strip").children) {
      button.setAttribute("aria-pressed", Number(button.dataset.index) === Number(this.slider.value));
    }
    if (this.stripCrop !== undefined && this.stripCrop !== this.crop) this.strip();
  }

  /** The same crop at each kept iteration, small: how it became sharper. */
  strip() {
    this.stripCrop = this.crop;
    byId("picture-strip").replaceChildren(
      ...this.iterations.map((iteration, index) => {
        const image = el("img", { src: pictureUrl(this.id, this.crop, iteration), alt: "", loading: "lazy", width: 56, height: 56 });
        const pick = () => {
          this.slider.value = index;
          this.load();
        };
        const chosen = index === Number(this.slider.value);
        const attributes = { type: "button", "data-index": index, "aria-pressed": chosen, "aria-label": `iteration ${iteration}`, on: { click: pick } };
        return el("button", attributes, image, el("span", {}, short(iteration)));
      }),
    );
  }

  get view() {
    return document.querySelector("input[name=picture-view]:checked").value;
  }

  arrange() {
    const pair = PAIRS[this.view];
    const canvas = byId("picture-difference");
    show(canvas, !pair);
    for (const part of [byId("wipe-line"), byId("wipe-row"), byId("picture-left"), byId("picture-right")]) show(part, Boolean(pair));
    show(byId("gain-row"), !pair);
    for (const [what, image] of Object.entries(this.images)) {
      image.style.clipPath = "";
      image.style.visibility = pair?.includes(what) ? "visible" : "hidden";
      image.style.zIndex = pair?.[1] === what ? "2" : "1";
    }
    if (pair) {
      [byId("picture-left"), byId("picture-right")].forEach((tag, side) => setText(tag, pair[side]));
      byId("wipe").setAttribute("aria-label", `Wipe between ${pair[0]} on the left and ${pair[1]} on the right`);
      this.wipe.over = this.images[pair[1]];
      this.wipe.place();
    }
    this.measure();
  }

  measure() {
    const { bicubic, model, original } = this.images;
    if (![bicubic, model, original].every((image) => image.complete && image.naturalWidth)) return;
    const gain = Number(byId("difference-gain").value);
    setText(byId("difference-gain-value"), `${gain}×`);
    if (!PAIRS[this.view]) {
      const mean = drawDifference(byId("picture-difference"), model, original, gain);
      const shown = `mean difference to the original ${mean.toFixed(2)} of 255`;
      byId("picture-difference").setAttribute("aria-label", `${shown}, ${gain} times as bright`);
    }
    const [ours, plain] = [psnr(model, original), psnr(bicubic, original)];
    const figures = [["model", ours], ["bicubic", plain]].filter(([, value]) => value !== null);
    setText(byId("picture-figures"), `this crop, RGB: ${figures.map(([name, value]) => `${name} ${value.toFixed(2)} dB`).join(", ")}`);
  }
}

function short(iteration) {
  return iteration >= 10000 ? `${Math.round(iteration / 1000)}k` : String(iteration);
}
