import { Inject, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  Ack,
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { SNAPSHOT_EVENT, type SubscribeAck } from '#contracts';
import { assertScope, type ServiceContext, toSluiceError } from '#http';
import { gauge } from '#observability';
import { CONTEXT } from '../tokens.js';
import { Client, connectionEvent } from './client.js';
import { principalOfSocket } from './socket-access.js';
import { Subscriber } from './subscriber.js';

/** S3-11 over Socket.IO: `subscribe`, `unsubscribe`; facts under their own names, `snapshot`, `heartbeat`. */
@WebSocketGateway()
export class ProgressGateway
  implements OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket>, OnApplicationBootstrap, OnModuleDestroy
{
  private readonly clients = new Map<string, Client>();
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(Subscriber) private readonly subscriber: Subscriber,
  ) {}

  onApplicationBootstrap(): void {
    gauge('sluice_sockets', async () => [{ labels: {}, value: this.clients.size }]);
    this.heartbeat = setInterval(
      () => this.beat(),
      this.context.environment.WEBSOCKET_HEARTBEAT_INTERVAL * 1000,
    );
  }

  onModuleDestroy(): void {
    clearInterval(this.heartbeat);
  }

  handleConnection(socket: Socket): void {
    this.clients.set(socket.id, new Client(socket, principalOfSocket(socket)));
  }

  handleDisconnect(socket: Socket): void {
    const client = this.clients.get(socket.id);
    this.clients.delete(socket.id);
    if (client) this.subscriber.leave(client);
  }

  @SubscribeMessage('subscribe')
  async subscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack: unknown,
  ): Promise<void> {
    await this.answer(socket, ack, async (client) => {
      assertScope(client.principal, 'jobs:read');
      await this.context.limits?.ofPrincipal({ kind: 'ordinary' }, client.principal);
      await this.subscriber.subscribe(client, body, (answer, isNew) => {
        acknowledge(ack, answer);
        if (isNew && answer.snapshot) socket.emit(SNAPSHOT_EVENT, answer.snapshot);
      });
    });
  }

  @SubscribeMessage('unsubscribe')
  async unsubscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack: unknown,
  ): Promise<void> {
    await this.answer(socket, ack, async (client) => {
      this.subscriber.unsubscribe(client, body);
      acknowledge(ack, { ok: true });
    });
  }

  /** Whatever a client sends, it gets an answer: by its acknowledgement, or as an `error` event without one. */
  private async answer(socket: Socket, ack: unknown, work: (client: Client) => Promise<void>): Promise<void> {
    const client = this.clients.get(socket.id);
    if (!client) return;
    try {
      await client.inTurn(async () => {
        if (socket.connected) await work(client);
      });
    } catch (exception) {
      const { code, message, status } = toSluiceError(exception);
      if (status >= 500) this.context.logger.error({ err: exception }, message);
      if (typeof ack === 'function') acknowledge(ack, { ok: false, code, message });
      else socket.emit('error', { ...connectionEvent('error'), code, message });
    }
  }

  private beat(): void {
    const beat = connectionEvent('heartbeat');
    for (const { socket } of this.clients.values()) socket.emit('heartbeat', beat);
  }
}

function acknowledge(ack: unknown, answer: SubscribeAck | { ok: true }): void {
  if (typeof ack === 'function') ack(answer);
}
