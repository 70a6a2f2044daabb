const name = "tenant-0000000";
const page = (title, rows) => `<!doctype html><title>${title}</title>${rows.map((row) => `<p>${row}`).join("")}`;
export default {
	fetch() {
		const rows = Array.from({ length: 20 }, (_, i) => `row ${i}`);
		return new Response(page(name, rows), { headers: { "content-type": "text/html" } });
	},
};
