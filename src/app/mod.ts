/** Applications: reading and checking the manifest. What a manifest's values mean to a capability is that capability's business. */
export type { App, AppComponent, HttpTrigger } from "./app.ts";
export { loadApp } from "./load.ts";
