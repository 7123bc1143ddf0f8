import { SluiceError } from '#contracts';
import { classifyFailure, EndedEarly, type FailureClass, ToolError } from '#media';

const MESSAGES: Record<FailureClass, string> = {
  timestamps: 'The video could not be converted; the times of its frames are broken.',
  memory:
    'Converting this video takes more memory than it may; make it smaller or of fewer bits and upload that.',
  killed: 'The video could not be converted; its conversion was ended from outside.',
  other: 'The video could not be converted; a part of it may be damaged.',
};

/** ffmpeg's own words are for the operator; the uploader gets a sentence. */
export function explainFailure(error: unknown): unknown {
  if (error instanceof EndedEarly)
    return new SluiceError('encode_failed', MESSAGES.other, { cause: error, details: { class: 'other' } });
  if (!(error instanceof ToolError)) return error;
  const failure = classifyFailure(error);
  return new SluiceError(failure === 'memory' ? 'encode_out_of_memory' : 'encode_failed', MESSAGES[failure], {
    cause: error,
    details: {
      class: failure,
      exit_code: error.exitCode,
      signal: error.signalName,
      stderr: error.stderr.slice(-2000),
    },
  });
}
