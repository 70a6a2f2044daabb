/** The application server: a component behind a port, each request in a sandbox of its own, watched over. */
export { serve, type ServeOptions, type Server, type ServerUsage } from "./serve.ts";
