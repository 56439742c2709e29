/**
 * Node's HTTP as CommonJS modules see it. `import … from 'node:http'` reads every export, one of which loads a whole
 * WebSocket client: 14 MB, which counts where a process stands beside every engine.
 */
export const http = process.getBuiltinModule('node:http');

/** The same over TLS; loaded when it is needed. */
export const https = () => process.getBuiltinModule('node:https');
