import {
  initFileName,
  kindOfRendition,
  renditionPrefix,
  type SegmentFormat,
  type SegmentPayload,
  segmentFileName,
  tsFileName,
} from '#contracts';

/** One of the objects that a segment is stored as. */
export interface SegmentObject {
  format: SegmentFormat;
  key: string;
  size: number;
  sha256: string;
}

/** Of a segment: CMAF, and MPEG-TS where it has that. The names carry the digests. */
export function objectsOf(segment: SegmentPayload, assetId: string): SegmentObject[] {
  const { index, rendition, sha256, size, ts } = segment;
  const prefix = renditionPrefix(assetId, rendition);
  const kind = kindOfRendition(rendition);
  const name = index < 0 ? initFileName(sha256) : segmentFileName(index, sha256, kind);
  return [
    { format: 'cmaf', key: prefix + name, size, sha256 },
    ...(ts ? [{ format: 'ts' as const, key: prefix + tsFileName(index, ts.sha256, kind), ...ts }] : []),
  ];
}
