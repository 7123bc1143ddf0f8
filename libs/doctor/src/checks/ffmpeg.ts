import { ConfigError, type Environment, loadProfiles } from '#config';
import type { Profile } from '#contracts';
import { type FfmpegAbilities, ffmpegAbilities, ffmpegVersion, missingToneMapping, tryEncoder } from '#media';
import { type Finding, failed, ok, reasonOf, warning } from '../finding.js';

type Settings = Pick<Environment, 'FFMPEG_PATH' | 'FFPROBE_PATH' | 'PROFILES_FILE' | 'DEFAULT_PROFILE'>;

const OLDEST = [5, 1] as const;
const INSTALL =
  'apt-get install ffmpeg, brew install ffmpeg, or FFMPEG_PATH and FFPROBE_PATH to one of yours.';

export async function checkFfmpeg(settings: Settings): Promise<Finding[]> {
  const { FFMPEG_PATH: ffmpeg, FFPROBE_PATH: ffprobe } = settings;
  const found: Finding[] = [];
  for (const [name, path] of [
    ['ffprobe', ffprobe],
    ['ffmpeg', ffmpeg],
  ] as const) {
    const finding = await programFinding(name, path);
    found.push(finding);
    if (finding.state === 'failed') return found;
  }
  const abilities = await ffmpegAbilities(ffmpeg);
  return [...found, ...filterFindings(abilities), ...(await profileFindings(settings, abilities))];
}

async function programFinding(name: string, path: string): Promise<Finding> {
  try {
    const version = (await ffmpegVersion(path)).replace(/ Copyright.*/, '');
    const [major, minor] = /(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
    const old =
      major !== undefined && (major < OLDEST[0] || (major === OLDEST[0] && (minor ?? 0) < OLDEST[1]));
    if (old)
      return warning(name, version, `Install ${OLDEST.join('.')} or later, which Sluice is tested with.`);
    return ok(name, version);
  } catch (error) {
    return failed(name, `${path} cannot be run: ${reasonOf(error)}`, INSTALL);
  }
}

function filterFindings(abilities: FfmpegAbilities): Finding[] {
  const missing = missingToneMapping(abilities);
  return [
    missing.length === 0
      ? ok('ffmpeg', 'converts HDR')
      : warning(
          'ffmpeg',
          `lacks ${missing.join(' and ')}: videos in HDR are refused`,
          'Use a build with zimg.',
        ),
    ok(
      'ffmpeg',
      `quality is measured as ${abilities.filters.has('libvmaf') ? 'VMAF' : 'SSIM and PSNR (no libvmaf)'}`,
    ),
    ...(abilities.encoders.has('aac') ? [] : [failed('ffmpeg', 'has no AAC encoder', INSTALL)]),
  ];
}

/** Encodes a few frames with each encoder of each profile, as the services do before they use one. */
async function profileFindings(settings: Settings, { encoders }: FfmpegAbilities): Promise<Finding[]> {
  let profiles: ReturnType<typeof loadProfiles>;
  try {
    profiles = loadProfiles(settings);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => failed('profiles', problem, 'docs/operations.md, Profiles.'));
  }
  const findings: Finding[] = [];
  const tried = new Map<string, Promise<string | null>>();
  for (const profile of profiles.all) {
    const outcomes: string[] = [];
    let works: string | null = null;
    for (const encoder of profile.encoders) {
      if (!tried.has(encoder)) tried.set(encoder, outcome(settings.FFMPEG_PATH, profile, encoder, encoders));
      const trouble = await tried.get(encoder)!;
      if (trouble === null) works ??= encoder;
      else outcomes.push(`${encoder} ${trouble}`);
    }
    findings.push(profileFinding(profile, works, outcomes, settings.DEFAULT_PROFILE));
  }
  return findings;
}

/** Null: it works. */
async function outcome(
  ffmpeg: string,
  { codec }: Profile,
  encoder: Profile['encoders'][number],
  listed: ReadonlySet<string>,
): Promise<string | null> {
  // Some names have a dash, which the list's own reader does not take for a part of one.
  if (!listed.has(encoder) && !encoder.includes('-')) return 'is not built in';
  return tryEncoder(ffmpeg, codec, encoder).then(
    () => null,
    (error: unknown) => `fails: ${reasonOf(error).split('\n').at(-1)?.slice(0, 120)}`,
  );
}

function profileFinding(profile: Profile, works: string | null, outcomes: string[], usual: string): Finding {
  const rest = outcomes.length > 0 ? ` (${outcomes.join('; ')})` : '';
  if (works !== null) return ok(`profile ${profile.name}`, `is encoded by ${works}${rest}`);
  const says = `no encoder works${rest}: uploads with it are refused`;
  const mend = `Use an ffmpeg with ${profile.encoders[0]}, or give the profile another encoder.`;
  return (profile.name === usual ? failed : warning)(`profile ${profile.name}`, says, mend);
}
