/** The sandboxes of an app: made for a call, ended after it, counted. */
export { type PoolCounts, type PooledSandbox, type PoolUsage, SandboxPool } from "./sandbox-pool.ts";
