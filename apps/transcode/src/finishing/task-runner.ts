import { Inject, Injectable } from '@nestjs/common';
import { DownloadMaker } from './download-maker.js';
import type { ClaimedTask, Outcome } from './finishing.repository.js';
import { ImageMaker } from './image-maker.js';
import { QualityMeter } from './quality-meter.js';

/** Does what a task is for; nothing of it counts before the row that names it. */
@Injectable()
export class TaskRunner {
  constructor(
    @Inject(ImageMaker) private readonly images: ImageMaker,
    @Inject(QualityMeter) private readonly meter: QualityMeter,
    @Inject(DownloadMaker) private readonly downloads: DownloadMaker,
  ) {}

  run(task: ClaimedTask, signal: AbortSignal): Promise<Outcome> {
    switch (task.kind) {
      case 'poster':
        return this.images.poster(task, signal);
      case 'storyboard':
        return this.images.storyboard(task, signal);
      case 'quality':
        return this.meter.measure(task, signal);
      case 'download':
        return this.downloads.make(task, signal);
    }
  }
}
