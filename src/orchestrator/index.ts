/** The door of the orchestrator: which tasks there are, and which of them are to run. */
export { runConstraintEnforcer } from './constraints/run-constraint-enforcer.ts';
export { runJobs } from './jobs/run-jobs.ts';
export { runPlacing, type PlacingOptions } from './placing/run-placing.ts';
export { satisfies } from './placement-match.ts';
export { runReaper } from './reaper/run-reaper.ts';
export { runOrchestrator, type OrchestratorOptions } from './run.ts';
export { newTask, type TaskPlace } from './task.ts';
export { DirtyCheck } from './update/dirty.ts';
