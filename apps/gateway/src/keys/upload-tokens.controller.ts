import { randomUUID } from 'node:crypto';
import { Body, Controller, Header, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { reachValues, sessionWithin, TOKEN_SCOPES, UploadTokens } from '#access';
import {
  CreateUploadTokenRequest,
  type Principal,
  SluiceError,
  type Success,
  type UploadTokenData,
  writesOf,
} from '#contracts';
import { assertScope, demand, parseBody, parseId, type ServiceContext } from '#http';
import { uploadUrl } from '../page/content-policy.js';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';

/** What a tenant's own server gives to a browser, so that no key ever goes there. */
@Controller('v1/upload-tokens')
export class UploadTokensController {
  private readonly tokens: UploadTokens;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(DATABASE) private readonly database: Database,
  ) {
    this.tokens = new UploadTokens(context.environment.INTERNAL_SECRET);
  }

  @Post()
  @Header('cache-control', 'no-store')
  async create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<Success<UploadTokenData>> {
    const by = demand(request, 'keys:write');
    // Nobody gives what they do not have.
    for (const scope of TOKEN_SCOPES) assertScope(by, scope);
    const wanted = parseBody(CreateUploadTokenRequest, body);
    const { size, user_id: userId = null, origin = null } = wanted;
    const grant = { tenantId: by.tenantId, size, userId, origin, keyId: by.keyId };
    const sessionId =
      wanted.session_id === undefined
        ? randomUUID()
        : await this.openSession(by, parseId(wanted.session_id), grant);
    const expiresAt = new Date((Math.floor(Date.now() / 1000) + wanted.expires_in_seconds) * 1000);
    return {
      success: true,
      data: {
        token: await this.tokens.issue({ ...grant, sessionId }, expiresAt),
        ...{ session_id: sessionId, size, expires_at: expiresAt.toISOString() },
        upload_url: uploadUrl(this.context.environment, request.headers.host ?? ''),
      },
    };
  }

  /** The next token for an upload that goes on. */
  private async openSession(
    by: Principal,
    id: string,
    { tenantId, size }: { tenantId: string; size: number },
  ): Promise<string> {
    const [session] = await this.database.query<{ size: number | null }[]>(
      `SELECT file_size AS size FROM upload_sessions s
       WHERE id = $1 AND ${sessionWithin('s', 2)} AND tenant_id = $5`,
      [id, ...reachValues(writesOf(by)), tenantId],
    );
    if (!session) {
      throw new SluiceError('session_not_found', 'There is no upload session with this id; leave it out.');
    }
    if (session.size === size) return id;
    if (session.size === null)
      throw new SluiceError(
        'validation_failed',
        'The size of this session is not known yet, and a token is for one size; announce it first.',
      );
    throw new SluiceError('validation_failed', `The file of this session has ${session.size} bytes.`);
  }
}
