/** The sandboxes of an app: made for a call, ended after it, counted. */
export { type ArtefactOptions, compileComponent, createCompileCache } from "./artefacts.ts";
export { findPageMapper } from "./page-mapper.ts";
export { type PooledSandbox } from "./pooled-sandbox.ts";
export { type PoolCounts, type PoolUsage, SandboxPool } from "./sandbox-pool.ts";
export { SharedSlots } from "./slot-pool.ts";
