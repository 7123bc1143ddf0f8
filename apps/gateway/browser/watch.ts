import type { PublicConfig } from '#contracts';
import { SluiceClient } from '../../../libs/client/src/index.js';
import { Card } from './card.js';
import { el } from './dom.js';
import { applyFact, applySnapshot, isFinal, newJob } from './job-state.js';
import { showLink } from './link-state.js';
import { Live } from './live.js';
import { loadHls } from './player.js';
import type { TransferState } from './words.js';

/** The page of one video: its player first, then what happens to it. */
export function showWatch(main: HTMLElement, config: PublicConfig, jobId: string): void {
  void loadHls().catch(() => undefined);
  const client = new SluiceClient({ uploadUrl: config.upload_url });
  let job = newJob(jobId);
  let gone: string | null = null;
  const card = new Card(
    'this video',
    {
      cancel: async () => {
        if (job.sessionId) await client.cancel(job.sessionId);
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
  const live = new Live((_id, news) => {
    gone = news.kind === 'gone' ? news.message : null;
    if (news.kind === 'snapshot') job = applySnapshot(job, news.view);
    if (news.kind === 'fact') job = applyFact(job, news.fact);
    draw();
    if (isFinal(job) && job.seq >= 0) live.unfollow(jobId);
  }, showLink);
  main.classList.add('watch');
  main.append(el('p', { class: 'back' }, el('a', { attrs: { href: '/' } }, '← All videos')), card.element);
  draw();
  live.follow(jobId);
}

/** The bytes are sent by someone else: only the server knows how far they are. */
function elsewhere(total: number | null): TransferState {
  return { phase: 'sending', sent: 0, total: total ?? 0, code: null, message: null };
}
