const name = "tenant-0000000";
const items = new Map(Array.from({ length: 200 }, (_, id) => [id, { id, title: `item ${id}` }]));
export default { fetch: () => Response.json({ app: name, item: items.get(7) }) };
