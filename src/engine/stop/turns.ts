/**
 * Who waits for a turn. Groups take turns, and the members of a group among themselves: a group does not get more by having more members.
 * Within a group, and among groups, the one that waits longest is first.
 */
export class Turns<Member> {
	readonly #groups = new Map<string | undefined, Member[]>();

	get any(): boolean {
		return this.#groups.size > 0;
	}

	/** @param group its name; those without one are a group */
	add(group: string | undefined, member: Member): void {
		const members = this.#groups.get(group);
		if (members === undefined) this.#groups.set(group, [member]);
		else members.push(member);
	}

	/** Whose turn it is: it waits no longer. */
	take(): Member | undefined {
		const [first] = this.#groups;
		if (first === undefined) return undefined;
		const [group, members] = first;
		const member = members.shift();
		this.#groups.delete(group);
		if (members.length > 0) this.#groups.set(group, members);
		return member;
	}
}
