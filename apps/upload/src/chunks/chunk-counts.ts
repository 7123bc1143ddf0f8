import { SluiceError } from '#contracts';
import { count } from '#observability';

/** A chunk that is confirmed; `written` is false when its bytes had been before. */
export function countChunk(size: number, written: boolean): void {
  count('sluice_upload_chunks_total', { result: written ? 'stored' : 'known' });
  if (written) count('sluice_upload_bytes_total', {}, size);
}

/** A chunk that was not taken. One that was too slow has been counted where it was given up. */
export function countLoss(error: unknown): void {
  if (error instanceof SluiceError && error.code === 'upload_too_slow') return;
  count('sluice_upload_chunks_total', { result: lossBy(error) });
}

function lossBy(error: unknown) {
  if (!(error instanceof SluiceError)) return 'failed';
  if (error.code === 'chunk_incomplete') return 'cut_off';
  if (error.code === 'storage_full') return 'no_space';
  return error.status < 500 ? 'refused' : 'failed';
}
