/** From a script's source to a component, by tools of the application's or of Skerry's folder. Not for running anything built. */
export { buildComponent, type BuildOptions, type BuildResult, type BuildStep } from "./build.ts";
