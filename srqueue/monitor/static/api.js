/** The API's addresses, each in one place. */

const job = (id) => `job/${encodeURIComponent(id)}`;
const after = (position) => (position ? `?after=${encodeURIComponent(position)}` : "");

export const api = {
  job: (id) => window.srq.get(job(id)),
  curves: (id, position) => window.srq.get(`${job(id)}/curves${after(position)}`),
  events: (id, position) => window.srq.get(`${job(id)}/events${after(position)}`),
  log: (id) => window.srq.get(`${job(id)}/log`),
  pictures: (id) => window.srq.get(`${job(id)}/pictures`),
  diff: (a, b) => window.srq.get(`diff?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`),
  find: (text) => window.srq.get(`jobs?q=${encodeURIComponent(text)}&size=20`),
  act: (id, act, body) => window.srq.post(`${job(id)}/${act}`, body),
};

export function pictureUrl(id, crop, what) {
  return `${window.srq.base}/api/${job(id)}/picture/${crop}/${what}.png`;
}

export function pageOf(id) {
  return `${window.srq.base}/job/${encodeURIComponent(id)}`;
}

export function comparePage(ids) {
  return `${window.srq.base}/compare?jobs=${ids.map(encodeURIComponent).join(",")}`;
}

export function reportOf(id) {
  return `${window.srq.base}/api/${job(id)}/report`;
}

/** What an error of the API says, with its hint. */
export function told(error) {
  return [error.message || String(error), error.hint].filter(Boolean).join(". ");
}
