/** A file that can be read by range; only the ranges in flight are in memory. */
export interface UploadSource {
  name: string;
  /** Bytes. */
  size: number;
  /** MIME type. */
  type?: string;
  /** Bytes `[start, end)`. */
  read(start: number, end: number): Promise<Uint8Array | Blob>;
  /** Of all bytes, lower-case hex; where there is a faster way than to read them by range. */
  sha256?(signal?: AbortSignal): Promise<string>;
}

/** What a browser's `File` and Node's have in common. */
export interface FileLike extends Blob {
  readonly name: string;
}

/** A picked or dropped file. Slicing reads nothing. */
export function blobSource(file: FileLike): UploadSource {
  return {
    name: file.name,
    size: file.size,
    ...(file.type === '' ? {} : { type: file.type }),
    read: async (start, end) => file.slice(start, end),
  };
}
