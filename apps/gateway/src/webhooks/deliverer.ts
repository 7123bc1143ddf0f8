import { Inject, Injectable } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { count, observe } from '#observability';
import type { Handler } from '#queue';
import type { Resources } from '../resources.js';
import { CONTEXT, RESOURCES } from '../tokens.js';
import { AddressGuard } from './address-guard.js';
import { nextPause, restAfter } from './patience.js';
import { resolveName } from './resolver.js';
import { type Outcome, Sender } from './sender.js';
import { signatureHeaders } from './signature.js';
import { Vault } from './vault.js';
import { type Claim, WorkRows } from './work-rows.js';

/** Messages that one entry of the queue sends before it goes to the end of the line. */
const IN_A_ROW = 20;

/**
 * Sends what is due to an endpoint. Its lanes are entries of the queue, so an endpoint has at most
 * WEBHOOK_CONCURRENCY of all places, and one that fails only the first of them, now and then.
 */
@Injectable()
export class Deliverer {
  private readonly sender: Sender;
  private readonly vault: Vault;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(RESOURCES) private readonly resources: Resources,
    @Inject(WorkRows) private readonly rows: WorkRows,
  ) {
    const { environment } = context;
    this.vault = new Vault(environment.INTERNAL_SECRET);
    this.sender = new Sender({
      resolve: resolveName,
      guard: new AddressGuard(environment.WEBHOOK_ALLOW_PRIVATE),
      timeoutMs: environment.WEBHOOK_TIMEOUT_SECONDS * 1000,
    });
  }

  /** Never fails: an entry that did would keep its id for itself, and rows bring back what was not done. */
  readonly process: Handler<'webhook'> = async ({ endpointId, lane }, { signal }) => {
    try {
      for (let sent = 0; sent < IN_A_ROW; sent += 1) {
        const claim = signal.aborted ? null : await this.rows.claim(endpointId, lane);
        if (!claim) return undefined;
        if (claim.more) await this.openNextLane(endpointId, lane);
        if (await this.attempt(claim, signal)) continue;
        return lane === 0 ? { retryInMs: restAfter(claim.failures + 1) * 1000 } : undefined;
      }
      return { retryInMs: 0 };
    } catch (error) {
      this.context.logger.warn(
        { err: error, endpoint: endpointId },
        'a webhook was not sent; it is tried again',
      );
      return undefined;
    }
  };

  private async openNextLane(endpointId: string, lane: number): Promise<void> {
    const next = lane + 1;
    if (next >= this.context.environment.WEBHOOK_CONCURRENCY) return;
    // One lane sends all, only later.
    await this.resources.queues.enqueue('webhook', { endpointId, lane: next }).catch(() => undefined);
  }

  /** False when it has failed: others are served before this endpoint is tried again. */
  private async attempt(claim: Claim, signal: AbortSignal): Promise<boolean> {
    const began = performance.now();
    let outcome: Outcome;
    try {
      outcome = await this.post(claim, signal);
    } catch {
      await this.rows.giveBack(claim);
      return true;
    }
    observe('sluice_webhook_seconds', (performance.now() - began) / 1000);
    if (outcome.delivered) {
      await this.rows.succeed(claim, outcome);
      count('sluice_webhook_attempts_total', { result: 'delivered' });
      return true;
    }
    await this.failed(claim, outcome);
    return false;
  }

  private async failed(claim: Claim, outcome: Outcome): Promise<void> {
    const { environment, logger } = this.context;
    const patience = {
      firstSeconds: environment.WEBHOOK_RETRY_SECONDS,
      totalSeconds: environment.WEBHOOK_RETRY_HOURS * 3600,
    };
    const gone = outcome.status === 410;
    const pause = gone ? null : nextPause(claim.elapsed, outcome.retryAfterSeconds, patience, Math.random());
    const disabled = await this.rows.fail(claim, outcome, pause);
    count('sluice_webhook_attempts_total', { result: pause === null ? 'given_up' : 'failed' });
    const about = { endpoint: claim.endpoint_id, message: claim.id, attempt: claim.attempts };
    if (pause === null) logger.warn({ ...about, error: outcome.error }, 'a webhook is a dead letter');
    else logger.debug({ ...about, error: outcome.error, pause }, 'a webhook was not taken');
    if (disabled === 'failing' || disabled === 'gone') {
      count('sluice_webhooks_disabled_total', { reason: disabled });
      logger.warn({ endpoint: claim.endpoint_id, reason: disabled }, 'a webhook is disabled');
    }
  }

  /** Throws when it was cut short. */
  private post(claim: Claim, signal: AbortSignal): Promise<Outcome> {
    const { id, endpoint_id: endpoint, body, url } = claim;
    let secrets: string[];
    try {
      secrets = [claim.secret, claim.previous_secret].flatMap((sealed) =>
        sealed === null ? [] : [this.vault.open(endpoint, sealed)],
      );
    } catch {
      const error = 'Its secret cannot be read, because INTERNAL_SECRET has changed; rotate it.';
      return Promise.resolve({ delivered: false, status: null, error, retryAfterSeconds: null });
    }
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Sluice-Webhooks',
      ...signatureHeaders({ id, body }, Math.floor(Date.now() / 1000), secrets),
    };
    return this.sender.post(url, headers, body, signal);
  }
}
