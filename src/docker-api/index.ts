export { readBody, readJson, type JsonObject } from './body.ts';
export { ApiCall, type Hijack } from './call.ts';
export {
  FilterTests,
  filterFlag,
  filtersText,
  matchesLabels,
  queryFilters,
  queryFlag,
  queryInt,
  type Filters,
} from './query.ts';
export { Router, type RoutePattern } from './router.ts';
export { startApiServer, type ApiServer, type Listen, type ListenFd } from './server.ts';
export { MIN_API_MINOR, parseApiVersion, versionText, type ApiMinor } from './version.ts';
export { containerStatus, type ContainerRun } from './status-text.ts';
export { humanSize } from './units.ts';
export { imageReferenceText, parseImageReference, type ImageReference } from './image-reference.ts';
export { eventNanos, eventTimeText, readEventTime } from './event-time.ts';
export { parseMoment } from './moment.ts';
export { pathPattern } from './path-match.ts';
export { ProgressStream } from './progress-stream.ts';
