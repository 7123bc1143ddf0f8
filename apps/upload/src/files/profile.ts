import type { Profiles } from '#config';
import { profileKey, readChoice, SluiceError } from '#contracts';
import type { EntityManager } from '#persistence';
import { MAY_ENCODE } from '#work';

interface Wanted {
  profile: string | null;
  options: Record<string, unknown>;
}

/** The profile's name and the choice among its outputs; throws `unknown_profile`, `invalid_options`. */
export const profileOf = (wanted: Wanted, profiles: Profiles): string =>
  profileKey(nameOfProfile(wanted, profiles), readChoice(wanted.options));

/** Said by a field of its own, or among the options by doors that have no such field. */
export function nameOfProfile({ profile, options }: Wanted, profiles: Profiles): string {
  const name = profile ?? options.profile ?? profiles.usual;
  if (options.profile !== undefined && options.profile !== null && options.profile !== name)
    throw new SluiceError(
      'invalid_options',
      'profile and options.profile name two profiles; give one of them.',
    );
  if (typeof name !== 'string' || !profiles.get(name))
    throw new SluiceError('unknown_profile', `The profile must be one of ${profiles.names.join(', ')}.`);
  return name;
}

/** Throws `encoder_unavailable` where it is known that nobody can encode it; what every ffmpeg has is not asked for. */
export async function refuseUnable(manager: EntityManager, name: string, profiles: Profiles): Promise<void> {
  const encoders = profiles.get(name)?.encoders ?? [];
  if (encoders.includes('libx264')) return;
  const [row] = (await manager.query(MAY_ENCODE, [encoders])) as { able: boolean }[];
  if (row?.able !== false) return;
  throw new SluiceError(
    'encoder_unavailable',
    `No encoder of the profile ${name} works in this installation. Choose another profile, or ask the operator for an ffmpeg that has one.`,
  );
}
