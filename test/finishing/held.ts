import type { Stack } from '#testing';

/**
 * Tasks of this kind (all kinds when none is given) do not get done until they are let go, however often they are
 * tried: attempts are not counted meanwhile.
 */
export async function holdFinishing(stack: Stack, kind?: string): Promise<() => Promise<void>> {
  const others = kind ? `kind <> '${kind}' OR ` : '';
  await stack.query(`CREATE OR REPLACE FUNCTION not_counted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.attempts := 0; RETURN NEW; END $$`);
  await stack.query(
    'CREATE TRIGGER not_counted BEFORE UPDATE ON finishing_tasks FOR EACH ROW EXECUTE FUNCTION not_counted()',
  );
  await stack.query(
    `ALTER TABLE finishing_tasks ADD CONSTRAINT held CHECK (${others}status <> 'done') NOT VALID`,
  );
  return async () => {
    await stack.query('DROP TRIGGER not_counted ON finishing_tasks');
    await stack.query('ALTER TABLE finishing_tasks DROP CONSTRAINT held');
  };
}
