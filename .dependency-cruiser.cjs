// The rooms of src/ and the arrows between them (docs/architecture.md draws the same map).
const may = {
  base: [],
  scheduler: ['base'],
  engine: ['base'],
  'docker-api': ['base'],
  discovery: ['base'],
  certs: ['base'],
  'token-service': ['base'],
  'virtual-host': ['base', 'scheduler', 'engine', 'docker-api', 'discovery'],
  cli: ['base', 'scheduler', 'engine', 'docker-api', 'discovery', 'certs', 'token-service', 'virtual-host'],
};

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'types may know one another; code may not',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'known-room',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${Object.keys(may).join('|')})/` },
      to: {},
    },
    ...Object.entries(may).map(([room, allowed]) => ({
      name: `arrows-of-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
    })),
    ...Object.keys(may).map((room) => ({
      name: `door-of-${room}`,
      comment: 'a room is entered by its index.ts; base is a shelf of small files and has no door',
      severity: room === 'base' ? 'ignore' : 'error',
      from: { path: '^src/', pathNot: `^src/${room}/` },
      to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` },
    })),
    {
      name: 'pure-scheduler',
      comment: 'the scheduler does no I/O',
      severity: 'error',
      from: { path: '^src/scheduler/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    {
      name: 'no-test-in-product',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(test|bench)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
