import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { mediaPrefix, posterFileName, SluiceError, storyboardFileName } from '#contracts';
import { type Plan, planStoryboard, posterRun, storyboardRun, storyboardVtt } from '#media';
import type { ObjectStore } from '#storage';
import { ENVIRONMENT, STORE } from '../tokens.js';
import type { ClaimedTask, Outcome } from './finishing.repository.js';
import { FinishingTool } from './finishing-tool.js';
import { StoredMedia, type StoredVideo } from './stored-media.js';

/** Where in the video a poster is looked for; the later ones count when what comes before is dark. */
const POSTER_AT = [0.1, 0.3, 0.5];

/** Poster and storyboard, from stored segments: they are upright, progressive and of the right colours. */
@Injectable()
export class ImageMaker {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(StoredMedia) private readonly media: StoredMedia,
    @Inject(FinishingTool) private readonly tool: FinishingTool,
  ) {}

  async poster(task: ClaimedTask, signal: AbortSignal): Promise<Outcome> {
    const video = await this.media.posterVideo(task.jobId);
    if (!video) throw nothingStored();
    const total = task.plan.borders.length - 1;
    const segments = await this.media.segments(video, [
      ...new Set(POSTER_AT.map((at) => Math.floor(total * at))),
    ]);
    if (segments.length === 0) throw nothingStored();
    const file = this.media.asFile(video, segments);
    const take = (notBlack: boolean) =>
      this.tool.picture(file, (source, target) => posterRun(task.plan, { source, target, notBlack }), signal);
    let image = await take(true);
    if (image.length === 0) image = await take(false);
    const name = posterFileName(sha256(image));
    const key = await this.put(task, name, image, signal);
    return {
      result: { name, width: video.width, height: video.height },
      objects: [key],
      playback: { poster: `/${key}` },
    };
  }

  async storyboard(task: ClaimedTask, signal: AbortSignal): Promise<Outcome> {
    const videos = await this.media.videos(task.jobId);
    const video = videos.at(-1);
    if (!video) throw nothingStored();
    const all = await this.media.segments(video);
    const storyboard = planStoryboard(
      { ...video, frameTicks: frameTicks(task.plan, video), segments: all },
      this.environment.STORYBOARD_TILES,
    );
    const wanted = new Set(storyboard.segments);
    const file = this.media.asFile(
      video,
      all.filter(({ index }) => wanted.has(index)),
    );
    const image = await this.tool.picture(
      file,
      (source, target) => storyboardRun(task.plan, storyboard, { source, target }),
      signal,
    );
    const sprite = storyboardFileName(sha256(image), 'jpg');
    const vtt = Buffer.from(storyboardVtt(storyboard, sprite));
    const name = storyboardFileName(sha256(vtt), 'vtt');
    const keys = [await this.put(task, sprite, image, signal), await this.put(task, name, vtt, signal)];
    return {
      result: { name, sprite, tiles: storyboard.times.length },
      objects: keys,
      playback: { storyboard: `/${keys[1]}` },
    };
  }

  private async put(task: ClaimedTask, name: string, bytes: Buffer, signal: AbortSignal): Promise<string> {
    if (bytes.length === 0) throw new SluiceError('encode_failed', 'ffmpeg made no picture.');
    const key = mediaPrefix(task.assetId) + name;
    await this.store.put(key, bytes, { size: bytes.length, signal });
    return key;
  }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const frameTicks = ({ grid }: Plan, video: StoredVideo) =>
  Math.max(1, Math.round((video.timescale * grid.fps.den) / grid.fps.num));

const nothingStored = () =>
  new SluiceError('encode_failed', 'No segment is stored that a picture could be taken from.');
