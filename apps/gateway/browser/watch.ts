import { cancelJob, fetchJob, retryJob } from './api.js';
import { Card } from './card.js';
import { el } from './dom.js';
import { applyFact, applySnapshot, isFinal, newJob } from './job-state.js';
import { showLink } from './link-state.js';
import { Live, type News } from './live.js';
import { loadHls } from './player.js';
import type { TransferState } from './words.js';

/** The page of one video: its player first, then what happens to it. */
export function showWatch(main: HTMLElement, jobId: string): void {
  void loadHls().catch(() => undefined);
  let job = newJob(jobId);
  let gone: string | null = null;
  const card = new Card(
    'this video',
    {
      cancel: async () => hear({ kind: 'snapshot', view: await cancelJob(jobId) }),
      retry: async () => {
        const view = await retryJob(jobId);
        live.follow(jobId);
        hear({ kind: 'snapshot', view });
      },
      opensItself: () => true,
    },
    true,
  );
  const draw = () => {
    const name = job.filename ?? (gone !== null ? 'No such video' : job.seq < 0 ? 'Loading…' : 'Video');
    if (job.filename) document.title = `${job.filename} · Sluice`;
    card.update({ name, size: job.bytesTotal, job, transfer: elsewhere(job.bytesTotal), gone });
  };
  const hear = (news: News): void => {
    gone = news.kind === 'gone' ? news.message : null;
    if (news.kind === 'snapshot') job = applySnapshot(job, news.view);
    if (news.kind === 'fact') job = applyFact(job, news.fact);
    draw();
    if (isFinal(job) && job.seq >= 0) live.unfollow(jobId);
    // Facts do not say whether it can be tried again.
    if (news.kind === 'fact' && job.status === 'failed')
      void fetchJob(jobId).then((view) => view && hear(view));
  };
  const live = new Live((_id, news) => hear(news), showLink);
  main.classList.add('watch');
  const back = el('a', { attrs: { href: '/' } }, '← All videos');
  // Asks for a password, or is closed, where the operator has said so.
  const entries = el('a', { attrs: { href: `/admin/jobs/${jobId}`, rel: 'nofollow' } }, 'Queue entries');
  main.append(el('p', { class: 'back' }, back, ' · ', entries), card.element);
  draw();
  live.follow(jobId);
}

/** The bytes are sent by someone else: only the server knows how far they are. */
function elsewhere(total: number | null): TransferState {
  return { phase: 'sending', sent: 0, total: total ?? 0, code: null, message: null };
}
