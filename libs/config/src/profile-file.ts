import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import {
  CODECS,
  type Codec,
  ENCODER_NAMES,
  ENCODER_PRESETS,
  type EncoderName,
  type EncoderPreset,
  FASTEST_FRAMES,
  PROFILE_NAME,
  QUALITIES,
  type Quality,
} from '#contracts';

const HIGHEST_CRF = 63;

/** One rung of a profile in PROFILES_FILE. */
export class RungDefinition {
  @IsIn(QUALITIES) name: Quality;
  /** Bits per second. */
  @IsInt() @Min(50_000) @Max(100_000_000) max_rate: number;
  @IsOptional() @IsNumber() @Min(0) @Max(HIGHEST_CRF) crf?: number;
}

/** One profile in PROFILES_FILE (docs/operations.md, Profiles). */
export class ProfileDefinition {
  @IsString()
  @Matches(PROFILE_NAME, { message: 'name must have 1 to 32 lower-case letters, digits and dashes' })
  name: string;
  @IsIn(CODECS) codec: Codec;
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(ENCODER_NAMES, { each: true })
  encoders?: EncoderName[];
  @IsOptional() @IsIn(ENCODER_PRESETS) preset?: EncoderPreset;
  @IsOptional() @IsNumber() @Min(0) @Max(HIGHEST_CRF) crf?: number;
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique(({ name }: RungDefinition) => name)
  @ValidateNested({ each: true })
  @Type(() => RungDefinition)
  rungs?: RungDefinition[];
  @IsOptional() @IsNumber() @Min(10) @Max(FASTEST_FRAMES) max_frame_rate?: number;
  @IsOptional() @IsInt() @Min(32_000) @Max(320_000) audio_bit_rate?: number;
  @IsOptional() @IsBoolean() copy?: boolean;
}

/** `{ "profiles": […] }` */
export class ProfileFile {
  @IsArray()
  @ArrayMaxSize(100)
  @ArrayUnique(({ name }: ProfileDefinition) => name)
  @ValidateNested({ each: true })
  @Type(() => ProfileDefinition)
  profiles: ProfileDefinition[];
}
