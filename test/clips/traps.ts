/** Texts that send a careless demuxer elsewhere: to a file on the disk, or to an address inside. */
export interface Trap {
  name: string;
  bytes: Buffer;
}

export function trapsTo(file: string, url: string): Trap[] {
  const trap = (name: string, ...lines: string[]): Trap => ({
    name,
    bytes: Buffer.from(`${lines.join('\n')}\n`.padEnd(2048, '\n')),
  });
  const playlist = (segment: string) => [
    ...['#EXTM3U', '#EXT-X-VERSION:3', '#EXT-X-TARGETDURATION:4', '#EXTINF:4,'],
    ...[segment, '#EXT-X-ENDLIST'],
  ];
  return [
    trap('an HLS playlist of a file', ...playlist(`file://${file}`)),
    trap('an HLS playlist of an address', ...playlist(url)),
    trap(
      'an HLS playlist with a key from an address',
      '#EXTM3U',
      `#EXT-X-KEY:METHOD=AES-128,URI="${url}"`,
      ...playlist(`file://${file}`).slice(1),
    ),
    trap('a concat script of a file', 'ffconcat version 1.0', `file '${file}'`),
    trap('a concat script of an address', 'ffconcat version 1.0', `file '${url}'`),
    trap(
      'a DASH manifest',
      '<?xml version="1.0"?>',
      '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4">',
      `<Representation id="1" bandwidth="1"><BaseURL>${url}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    ),
    trap('a session description', 'v=0', `c=IN IP4 ${new URL(url).hostname}`, 'm=video 5004 RTP/AVP 33'),
  ];
}
