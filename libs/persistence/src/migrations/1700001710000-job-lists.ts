import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lists of jobs, of a tenant and of all, page by page without sorting what comes before. */
export class JobLists1700001710000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX jobs_newest ON jobs (created_at DESC, id DESC);
      CREATE INDEX jobs_tenant_newest ON jobs (tenant_id, created_at DESC, id DESC);
      DROP INDEX jobs_tenant_created;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX jobs_tenant_created ON jobs (tenant_id, created_at DESC);
      DROP INDEX jobs_newest, jobs_tenant_newest;
    `);
  }
}
