/**
 * The arrows of the monorepo (docs/architecture.md, Folders): `npm run check` fails when code points
 * the wrong way. Our libraries are imported by the names of package.json "imports"; the aliases below
 * lead those names to the sources instead of to what was built last.
 */
const inPackage = (...names) => `(^|/)node_modules/(${names.join('|')})(/|$)`;
const BROWSER = '^(libs/widget|apps/gateway/browser)/';
/** Of the client everything but its Node entry runs in a browser too. */
const ISOMORPHIC = '^libs/client/src/(?!node)';
/** They run whole services or their backing stores, on a developer's machine only. */
const HARNESS = '^libs/(testing|launcher)/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment:
        'Two files that need each other are one file, or miss a third. One that only names the type of ' +
        'the other does not need it to run.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'imports-resolve',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      comment: 'Delete, do not keep: a source that nothing imports and that is no entry point.',
      severity: 'error',
      module: {
        path: '^(apps|libs|test)/',
        pathNot: [
          '^apps/[^/]+/src/main[.]ts$',
          // Started as a thread, by its address.
          '[.]worker[.]ts$',
          '^apps/gateway/browser/[^/]+[.]ts$',
          '^libs/[^/]+/src/(index|node|main|cli)[.]ts$',
          '^libs/testing/src/global-setup[.]ts$',
          '^libs/widget/',
          '^test/bench/main[.]ts$',
          // Started as processes, by their paths.
          '^test/bench/[^/]+/processes/[^/]+[.]mjs$',
          '[.]test[.]ts$',
          '[.]d[.]ts$',
        ],
        numberOfDependentsLessThan: 1,
      },
      from: {},
    },
    {
      name: 'apps-never-import-apps',
      comment: 'Services share rows, queues and HTTP, never code.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(apps|test)/' },
    },
    {
      name: 'product-never-imports-the-harness',
      comment: 'Images are built without development dependencies.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: HARNESS },
      to: { path: '^(test|libs/testing|libs/launcher)/' },
    },
    {
      name: 'product-never-needs-dev-dependencies',
      comment: 'Bundled browser code is built before the image drops them.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [HARNESS, BROWSER] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'dependencies-are-declared',
      comment: 'What is only there because another package needs it may be used as a type, not run.',
      severity: 'error',
      from: { path: '^(apps|libs)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'contracts-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^libs/contracts/' },
      to: { path: '^(apps|libs)/', pathNot: '^libs/contracts/' },
    },
    {
      name: 'media-knows-no-server',
      comment: 'The same media code serves a worker without a database.',
      severity: 'error',
      from: { path: '^libs/media/' },
      to: {
        path: [
          '^(apps|libs)/(?!media/|contracts/)',
          inPackage(
            '@nestjs',
            'fastify',
            'typeorm',
            '@nestjs/typeorm',
            'pg',
            'bullmq',
            'ioredis',
            'socket[.]io',
          ),
        ],
      },
    },
    {
      name: 'browser-code-imports-no-server',
      severity: 'error',
      from: { path: [BROWSER, ISOMORPHIC] },
      to: { path: '^(apps|libs)/', pathNot: [BROWSER, '^libs/(client|contracts)/'] },
    },
    {
      name: 'browser-code-imports-no-node',
      severity: 'error',
      from: { path: [BROWSER, ISOMORPHIC] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'typeorm-in-persistence',
      comment:
        'Entities, migrations and connections are made in #persistence. Services and #events may name ' +
        'DataSource and EntityManager, which #persistence exports.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/persistence/' },
      to: { path: inPackage('typeorm', '@nestjs/typeorm'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pg-in-persistence',
      comment: 'The harness creates databases before there is a data source.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/persistence/', HARNESS] },
      to: { path: inPackage('pg') },
    },
    {
      name: 'bullmq-in-queue',
      comment: 'The gateway shows queues to operators (Bull Board) and asks #queue for them.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/queue/' },
      to: { path: inPackage('bullmq'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'ioredis-in-queue',
      comment: 'Connections come from createRedis, so that all of them return from an outage alike.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/queue/', HARNESS] },
      to: { path: inPackage('ioredis'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'opentelemetry-in-observability',
      comment: 'Its SDK is loaded only where a collector is named.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/observability/src/tracing/' },
      to: { path: inPackage('@opentelemetry') },
    },
    {
      name: 'aws-sdk-in-storage',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/storage/' },
      to: { path: inPackage('@aws-sdk', '@smithy') },
    },
    {
      name: 'fluent-ffmpeg-in-one-file',
      comment: 'It is archived: one file of #media may know it.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/media/src/ffmpeg/command[.]ts$' },
      to: { path: inPackage('fluent-ffmpeg', '@types/fluent-ffmpeg') },
    },
    {
      name: 'socket-io-in-gateway',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^apps/gateway/src/' },
      to: { path: inPackage('socket[.]io', '@nestjs/websockets', '@nestjs/platform-socket[.]io') },
    },
    {
      name: 'socket-io-client-in-clients',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [BROWSER, HARNESS, '^libs/client/'] },
      to: { path: inPackage('socket[.]io-client') },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // The bench's peers are a package of their own.
    exclude: { path: '^(dist|coverage|[.]sluice|test/bench/upload/peers)/' },
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    webpackConfig: { fileName: './scripts/lib/source-aliases.cjs' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      mainFields: ['module', 'main', 'types'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
  },
};
