/** The door of the dispatcher: what agents talk to. */
export { createDispatcher } from './dispatcher.ts';
export type { IsSilent } from './silent-hosts.ts';
export type { Dispatcher, DispatcherOptions, DispatcherWaits, ManagerAddress } from './types.ts';
export { LogMarks } from './log-broker/log-marks.ts';
export type { LogLine, LogOptions, LogSelector, LogSubscriber } from './log-broker/types.ts';
