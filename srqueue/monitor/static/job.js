/** The page of one job. */

import { api } from "./api.js";
import { LogTail, showAttempts, showExplanation } from "./attempts.js";
import { Compared, label } from "./compared.js";
import { Curves } from "./curves.js";
import { byId, setText } from "./dom.js";
import { EventTable } from "./event_table.js";
import { Acts } from "./job_acts.js";
import { jobFinder } from "./job_finder.js";
import { showHeader, stateText } from "./job_header.js";
import { follow, paced } from "./live.js";
import { Pictures } from "./pictures.js";
import { SpecTable, showDiff } from "./spec_table.js";

const id = byId("job").dataset.job;
const curves = new Curves(byId("plots"), id);
const compared = new Compared(curves, { kept: id });
const pictures = new Pictures(id);
const spec = new SpecTable();
const events = new EventTable(id);
const log = new LogTail(id);
const acts = new Acts(id, { refresh: () => look(), announce });
let job = null;
let stop = null;

/** Tells what came of an act, to eyes and to screen readers, with a link where there is a new job. */
function announce(text, link = null) {
  const node = byId("act-said");
  node.replaceChildren(text);
  if (!link) return;
  const anchor = document.createElement("a");
  anchor.href = link;
  anchor.textContent = "see it";
  node.append(": ", anchor);
}

function showCard(card) {
  if (job && (job.state !== card.state || job.wish !== card.wish)) setText(byId("state-said"), `${card.name} is ${stateText(card)}`);
  job = card;
  showHeader(card);
}

async function detail() {
  const answer = await api.job(id);
  showCard(answer.job);
  if (!curves.sources.length) {
    curves.add(id, label(answer.job));
    compared.draw();
  }
  acts.update(answer);
  spec.update(answer.spec);
  showAttempts(answer.attempts);
  showExplanation(answer.explain);
}

/** All that may have changed; what fails is told, and what is shown stays. */
const look = paced(1000, async () => {
  try {
    await detail();
    await Promise.all([curves.refresh(), pictures.refresh(), events.refresh(), log.refresh()]);
    window.srq.note(null);
  } catch (error) {
    window.srq.note(error.status === 404 ? { error: "This job is gone from the queue. What is shown is what was seen last" } : error);
    if (error.status === 404) {
      stop?.();
      byId("job-acts").replaceChildren();
    }
  }
});

jobFinder(byId("diff-form"), (card) => showDiff(id, card.id, [job.name, label(card)]));
stop = follow(
  { job: id },
  {
    job: (card) => {
      const changed = !job || job.state !== card.state || job.wish !== card.wish || job.attempts !== card.attempts;
      // Why it waits is worked out where the whole job is asked for, not for each word of the stream.
      showCard(changed ? card : { ...card, waits: card.waits ?? job.waits, starts_in_s: card.starts_in_s ?? job.starts_in_s });
      if (changed) look();
    },
    curves: look,
    note: (told) => (told.gone ? look() : window.srq.note(told)), // a look takes the acts away as well
  },
  look,
);
