import { readFileSync } from 'node:fs';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import {
  BUILT_IN_PROFILES,
  ENCODERS,
  type EncoderName,
  type Profile,
  QUALITIES,
  USUAL_CRF,
  USUAL_PROFILE,
} from '#contracts';
import { ConfigError } from './load.js';
import { type ProfileDefinition, ProfileFile } from './profile-file.js';
import type { Environment } from './schema.js';

/** The profiles of a deployment, by name, and the one of uploads that do not say. */
export class Profiles {
  private readonly byName: ReadonlyMap<string, Profile>;

  /** Later ones stand in the place of earlier ones of the same name. */
  constructor(
    profiles: readonly Profile[],
    readonly usual: string,
  ) {
    this.byName = new Map(profiles.map((profile) => [profile.name, profile]));
  }

  get(name: string): Profile | undefined {
    return this.byName.get(name);
  }

  get all(): Profile[] {
    return [...this.byName.values()];
  }

  get names(): string[] {
    return [...this.byName.keys()];
  }
}

/** The built-in ones and those of PROFILES_FILE; throws a ConfigError that names every problem. */
export function loadProfiles({
  PROFILES_FILE,
  DEFAULT_PROFILE,
}: Pick<Environment, 'PROFILES_FILE' | 'DEFAULT_PROFILE'>): Profiles {
  const own = PROFILES_FILE === '' ? [] : readProfiles(PROFILES_FILE);
  const profiles = new Profiles([...BUILT_IN_PROFILES, ...own], DEFAULT_PROFILE);
  if (!profiles.get(DEFAULT_PROFILE))
    throw new ConfigError([`DEFAULT_PROFILE must be one of ${profiles.names.join(', ')}`]);
  return profiles;
}

function readProfiles(path: string): Profile[] {
  const file = plainToInstance(ProfileFile, readJson(path));
  const rules = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true };
  const problems = Array.isArray(file)
    ? ['it must be an object with profiles']
    : [
        ...validateSync(file, rules).flatMap((error) => sentences(error)),
        ...encodersOfOthers(file),
        ...beyondScale(file),
      ];
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `PROFILES_FILE ${problem}`));
  return file.profiles.map(profileOf);
}

function readJson(path: string): object {
  try {
    const read: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof read === 'object' && read !== null) return read;
  } catch (error) {
    throw new ConfigError([
      `PROFILES_FILE cannot be read: ${error instanceof Error ? error.message : error}`,
    ]);
  }
  throw new ConfigError(['PROFILES_FILE must be an object with profiles']);
}

/** `profiles[0].rungs[1]: max_rate must be …` */
function sentences(error: ValidationError, above = ''): string[] {
  const isPlace = /^\d+$/.test(error.property);
  const here = isPlace ? `${above}[${error.property}]` : `${above}${above && '.'}${error.property}`;
  return [
    ...Object.values(error.constraints ?? {}).map((said) => (above ? `${above}: ${said}` : said)),
    ...(error.children ?? []).flatMap((child) => sentences(child, here)),
  ];
}

const isOf = ({ codec }: ProfileDefinition, encoder: EncoderName) =>
  (ENCODERS[codec] as readonly string[] | undefined)?.includes(encoder);

function encodersOfOthers({ profiles }: ProfileFile): string[] {
  if (!Array.isArray(profiles)) return [];
  return profiles.flatMap((profile, i) =>
    (Array.isArray(profile?.encoders) ? profile.encoders : [])
      .filter((encoder) => !isOf(profile, encoder))
      .map((encoder) => `profiles[${i}]: ${encoder} is no encoder of ${profile.codec}`),
  );
}

/** AV1's scale goes on to 63 (RungDefinition). */
const HIGHEST_CRF_OF_OTHERS = 51;

function beyondScale({ profiles }: ProfileFile): string[] {
  if (!Array.isArray(profiles)) return [];
  return profiles.flatMap((profile, i) => {
    const said = [
      profile?.crf,
      ...(Array.isArray(profile?.rungs) ? profile.rungs : []).map((rung) => rung?.crf),
    ];
    return profile?.codec !== 'av1' && said.some((crf) => Number(crf) > HIGHEST_CRF_OF_OTHERS)
      ? [`profiles[${i}]: crf must not be greater than ${HIGHEST_CRF_OF_OTHERS}, except of av1`]
      : [];
  });
}

function profileOf(given: ProfileDefinition): Profile {
  const { name, codec } = given;
  const usual = BUILT_IN_PROFILES.find((one) => one.codec === codec) ?? USUAL_PROFILE;
  const rungs = given.rungs?.map((rung) => ({
    name: rung.name,
    maxRate: rung.max_rate,
    crf: rung.crf ?? null,
  }));
  return {
    ...{ name, codec, encoders: given.encoders ?? usual.encoders, preset: given.preset ?? null },
    crf: given.crf ?? USUAL_CRF[codec],
    rungs: QUALITIES.flatMap((quality) => (rungs ?? usual.rungs).filter((rung) => rung.name === quality)),
    maxFrameRate: given.max_frame_rate ?? usual.maxFrameRate,
    audioBitRate: given.audio_bit_rate ?? null,
    copy: given.copy ?? true,
  };
}
