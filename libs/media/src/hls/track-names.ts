interface Named {
  name: string;
  language: string | null;
  title: string | null;
}

/**
 * What a player's menu shows: the title of the track, else its language in its own words, else the
 * rendition's name. No two of a group are the same (RFC 8216, 4.3.4.1.1).
 */
export function trackNames(tracks: readonly Named[]): string[] {
  const taken = new Set<string>();
  return tracks.map(({ name, language, title }) => {
    const wanted = title ?? languageName(language) ?? name;
    let unique = wanted;
    for (let n = 2; taken.has(unique); n += 1) unique = `${wanted} (${n})`;
    taken.add(unique);
    return unique;
  });
}

function languageName(language: string | null): string | null {
  if (language === null || language === '') return null;
  try {
    return new Intl.DisplayNames([language], { type: 'language' }).of(language) ?? language;
  } catch {
    return null;
  }
}
