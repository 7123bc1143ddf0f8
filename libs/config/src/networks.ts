import { isIP } from 'node:net';
import { ValidateBy } from 'class-validator';

/** `true`, `false`, or networks like `10.0.0.0/8` with commas. */
export const IsNetworks = () =>
  ValidateBy({
    name: 'isNetworks',
    validator: {
      validate: (value: unknown) =>
        value === 'true' || value === 'false' || String(value).split(',').every(isNetwork),
      defaultMessage: (about) =>
        `${about?.property} must be true, false, or networks like 10.0.0.0/8,fd00::/8`,
    },
  });

function isNetwork(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.trim().split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
}
