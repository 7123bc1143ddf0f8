/** Bytes of a transport packet. */
export const PACKET = 188;
/** The one elementary stream of a segment. */
export const ES_PID = 0x100;

/** How a track's access units are carried: stream_type of the PMT, stream_id of its PES packets. */
export interface ElementaryStream {
  streamType: number;
  streamId: number;
}

/** One PES packet to be: whole access units. Times on the 90 kHz clock, not wrapped. */
export interface AccessUnits {
  pts: number;
  dts: number;
  /** Until what comes next is decoded. */
  duration: number;
  /** Decoding can begin here. */
  random: boolean;
  payload: Buffer[];
}
