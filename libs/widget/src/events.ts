/** A file on its way: `uploadId` is the element's own and lives as long as the page. */
export interface UploadFile {
  uploadId: string;
  name: string;
  /** Bytes. */
  size: number;
  /** Set when the file was recognised as one whose upload had been interrupted. */
  resumes: string | null;
}

export interface SessionDetail extends UploadFile {
  sessionId: string;
  jobId: string | null;
  /** The file was known already and its result is served at once. */
  duplicate: boolean;
}

/** Bytes confirmed by the service. */
export interface ProgressDetail {
  uploadId: string;
  sent: number;
  total: number;
}

/** `uploadId` is null when the file was refused before a byte was sent. */
export interface ErrorDetail {
  uploadId: string | null;
  name: string;
  size: number;
  code: string;
  /** One sentence that tells a person what to do next. */
  message: string;
}

export interface CompleteDetail {
  uploadId: string;
  sessionId: string;
  jobId: string | null;
}

/** Every event that `<sluice-uploader>` sends; all bubble and leave the shadow tree. */
export interface UploaderEvents {
  /** Files were accepted and wait for their turn, in the order in which they were given. */
  'sluice-queued': { files: UploadFile[] };
  'sluice-session': SessionDetail;
  'sluice-progress': ProgressDetail;
  'sluice-error': ErrorDetail;
  'sluice-complete': CompleteDetail;
}

export type UploaderEventName = keyof UploaderEvents;

/** A session that an earlier visit left open; the same name and size continue it. */
export interface Resumable {
  sessionId: string;
  jobId: string | null;
  name: string;
  size: number;
}
