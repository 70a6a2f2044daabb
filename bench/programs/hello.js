// The least that a JavaScript guest can be: what a sandbox costs beyond it is the engine's.
export default { fetch: () => new Response("Hello\n") };
