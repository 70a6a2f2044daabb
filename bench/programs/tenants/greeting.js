const name = "tenant-0000000";
export default { fetch: () => new Response(`Hello from ${name}\n`) };
