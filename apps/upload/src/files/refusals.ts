import { SluiceError } from '#contracts';

export const emptyFile = () =>
  new SluiceError('empty_file', 'The file is empty; choose a video that has content.');

export const fileTooLarge = (maximum: number) =>
  new SluiceError(
    'file_too_large',
    `Files may have at most ${maximum} bytes; send a smaller one or raise UPLOAD_MAX_FILE_SIZE.`,
    {
      details: { maximum },
    },
  );
