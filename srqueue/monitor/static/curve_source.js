/** The curves of one job as the store has them, fetched again only where there is something new. */

import { api } from "./api.js";

export class CurveSource {
  constructor(id, name = id) {
    this.id = id;
    this.name = name;
    this.position = "";
    this.curves = {};
    this.marks = [];
    this.fetching = null;
  }

  /** True where something new has come; calls that overlap share one request. */
  refresh() {
    this.fetching ??= this.fetch().finally(() => {
      this.fetching = null;
    });
    return this.fetching;
  }

  async fetch() {
    const answer = await api.curves(this.id, this.position);
    if (!answer.curves) return false;
    this.position = answer.position;
    this.curves = answer.curves;
    this.marks = answer.marks ?? [];
    return true;
  }
}
