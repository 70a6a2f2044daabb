import { Hono } from "hono";

const app = new Hono();

app.get("/", (c) => c.text("Hello from a fresh sandbox!\n"));

// The body is handed through as a stream: 1 byte or 1 GB, the guest's memory stays the same.
app.post("/echo", (c) => c.body(c.req.raw.body));

// Every request runs in a sandbox of its own, so this always answers 1.
let count = 0;
app.get("/counter", (c) => c.text(`${++count}\n`));

app.get("/throw", () => {
	throw new Error("thrown by the guest");
});
app.get("/env", (c) => c.json(c.env));

app.get("/fetch", async (c) => {
	const url = c.req.query("url");
	if (url === undefined) return c.text("say what to fetch: /fetch?url=https://example.com\n", 400);
	const response = await fetch(url);
	return c.body(response.body, 200);
});

export default app;
