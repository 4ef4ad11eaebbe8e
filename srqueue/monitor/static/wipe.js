/** Two pictures over each other: what lies left of the line is the one, what lies right of it the other. */

/** `frame` holds the pictures, `under` is seen left of the line, `over` right of it; `range` is 0 to 100. */
export class Wipe {
  constructor({ frame, over, line, range }) {
    Object.assign(this, { frame, over, line, range });
    range.addEventListener("input", () => this.place());
    frame.addEventListener("pointerdown", (event) => this.grab(event));
    this.place();
  }

  place() {
    const share = Number(this.range.value);
    this.over.style.clipPath = `inset(0 0 0 ${share}%)`;
    this.line.style.left = `${share}%`;
  }

  grab(event) {
    if (this.line.hidden) return;
    event.preventDefault(); // else the browser drags the picture away
    this.frame.setPointerCapture(event.pointerId);
    const move = (to) => {
      const box = this.frame.getBoundingClientRect();
      this.range.value = (100 * (to.clientX - box.left)) / box.width;
      this.range.dispatchEvent(new Event("input"));
    };
    move(event);
    this.frame.addEventListener("pointermove", move);
    const let_go = () => this.frame.removeEventListener("pointermove", move);
    this.frame.addEventListener("pointerup", let_go, { once: true });
    this.frame.addEventListener("pointercancel", let_go, { once: true });
  }
}
