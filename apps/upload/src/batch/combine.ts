import {
  type BatchData,
  type BatchFile,
  type BatchStatus,
  FILE_STATES,
  type FileState,
  type JobStatus,
  type SessionStatus,
} from '#contracts';

export function stateOf(session: SessionStatus, job: JobStatus | null): FileState {
  if (session === 'active') return 'uploading';
  if (session !== 'completed' || job === 'failed' || job === null) return 'failed';
  return job === 'completed' ? 'completed' : 'processing';
}

/** Many files as one: status, counts and progress. */
export function combine(
  files: Pick<BatchFile, 'state' | 'progress_percentage'>[],
  cancelled: boolean,
): Pick<BatchData, 'status' | 'counts' | 'progress_percentage'> {
  const counts = { total: files.length, uploading: 0, processing: 0, completed: 0, failed: 0 };
  for (const { state } of files) counts[state] += 1;
  const done = files.reduce((sum, file) => sum + (isOpen(file.state) ? file.progress_percentage : 100), 0);
  return {
    status: statusOf(counts, cancelled),
    counts,
    progress_percentage: files.length === 0 ? 0 : Math.floor(done / files.length),
  };
}

const isOpen = (state: FileState) => state === 'uploading' || state === 'processing';

function statusOf(counts: BatchData['counts'], cancelled: boolean): BatchStatus {
  if (counts.total === 0) return cancelled ? 'failed' : 'active';
  if (counts.uploading > 0) return 'active';
  const [only, other] = FILE_STATES.filter((state) => counts[state] > 0);
  if (counts.processing > 0) return 'processing';
  return other === undefined && only !== 'uploading' && only !== undefined ? only : 'partial';
}
