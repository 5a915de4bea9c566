/* SPDX-License-Identifier: Apache-2.0 */
/* Our own generator of filters. libseccomp needs 30 ms for Docker's profile with its three
 * architectures and makes 1,300 instructions of it, which the kernel needs 370 us to load; a
 * container that adds one capability would pay that at each start. Here it is less than 1 ms.
 *
 * For each architecture the calls are sorted by number, neighbours with the same outcome joined to
 * ranges, what no rule names filled with the default action, and everything above the last named
 * call with ENOSYS. The ranges become a balanced tree of comparisons:
 *
 *   ld arch; jeq ARCH, its part, next ...; ret KILL_THREAD       (as libseccomp: a foreign one)
 *   part: ld nr; [x86_64: jge 0x40000000 -> part of x32]; tree
 *   tree of ranges lo..hi: jge start(mid) -> right; left; right
 *   leaf: ret action, or the rules with their comparisons in order, and ret default
 *
 * A rule without comparisons wins over those with, as in libseccomp; of two the first. The other
 * architectures (s390, PowerPC, MIPS) number calls, order arguments or multiplex in ways of their
 * own: libseccomp knows them. Of the multiplexed calls only those of i386 are known here. */
#include "kernel/seccomp-compile-internal.h"

#include "base/buf.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#define NR_OFF     offsetof(struct seccomp_data, nr)
#define ARCH_OFF   offsetof(struct seccomp_data, arch)
#define ARG_OFF(i) (offsetof(struct seccomp_data, args) + 8 * (i))

#define I386_SOCKETCALL 102
#define I386_IPC        117

/* What one rule says of one call. */
struct entry {
	uint32_t nr;
	uint32_t order; /* the place in the profile */
	uint32_t action;
	uint32_t mux; /* i386: what the first argument of socketcall or ipc must be; 0: nothing */
	const struct seccomp_arg *args;
	size_t n_args;
};

/* Calls from START to the next range's start: CODE of the leaf buffer. */
struct range {
	uint32_t start;
	bool plain; /* a leaf of one instruction: RET action */
	uint32_t action;
	size_t first, n; /* in the leaf buffer */
};

struct part {
	const struct seccomp_profile *profile;
	uint32_t arch;
	uint32_t scmp;
	bool wide; /* arguments of 64 bits */
	struct entry *entries;
	size_t n_entries, cap_entries;
	struct range *ranges;
	size_t n_ranges;
	struct buf leaves, code;
};

static void part_done(struct part *p)
{
	free(p->entries);
	free(p->ranges);
	buf_done(&p->leaves);
	buf_done(&p->code);
}

#define CODE_MAX ((size_t)BPF_MAXINSNS * sizeof(struct sock_filter))

static int put(struct buf *b, unsigned code, uint32_t k, size_t jt, size_t jf)
{
	const struct sock_filter i = {
		.code = (uint16_t)code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k};

	return buf_put(b, &i, sizeof(i));
}

static size_t count(const struct buf *b)
{
	return b->len / sizeof(struct sock_filter);
}

/* ---- what the profile says of each call ---------------------------------------------------- */

/* The calls that i386 has both in socketcall or ipc and on their own (0: not), by libseccomp's
 * pseudo numbers: -100 - n for socketcall's n, -200 - n for ipc's. */
static uint32_t i386_direct(int pseudo)
{
	static const uint16_t socket[] = {
		[1] = 359,  [2] = 361,  [3] = 362,  [4] = 363,  [6] = 367,  [7] = 368,
		[8] = 360,  [11] = 369, [12] = 371, [13] = 373, [14] = 366, [15] = 365,
		[16] = 370, [17] = 372, [18] = 364, [19] = 337, [20] = 345};
	static const uint16_t ipc[] = {[2] = 393,  [3] = 394,  [11] = 400, [12] = 401, [13] = 399,
				       [14] = 402, [21] = 397, [22] = 398, [23] = 395, [24] = 396};
	size_t s = (size_t)(-100 - pseudo), i = (size_t)(-200 - pseudo);

	if (pseudo > -200)
		return s < ARRAY_SIZE(socket) ? socket[s] : 0;
	return i < ARRAY_SIZE(ipc) ? ipc[i] : 0;
}

static int add(struct part *p, struct entry e)
{
	if (p->n_entries == p->cap_entries) {
		size_t cap = p->cap_entries ? p->cap_entries * 2 : 512;
		struct entry *v = reallocarray(p->entries, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->entries = v;
		p->cap_entries = cap;
	}
	e.order = (uint32_t)p->n_entries;
	p->entries[p->n_entries++] = e;
	return 0;
}

/* Adds the entry under its number, on i386 also under its way through socketcall or ipc. */
static int add_number(struct part *p, int nr, struct entry e)
{
	uint32_t direct;
	int r;

	if (nr >= 0) {
		e.nr = (uint32_t)nr;
		return add(p, e);
	}
	if (p->arch != AUDIT_ARCH_I386 || nr > -100 || nr <= -300)
		return 0; /* not of this architecture */
	direct = i386_direct(nr);
	e.nr = direct;
	r = direct ? add(p, e) : 0;
	/* What the call gets through the multiplexer is in memory, beyond a filter's sight (and
	 * libseccomp compares the pointer): what is allowed only by its arguments is not allowed
	 * there, what is refused by its arguments is refused. */
	if (r < 0 || (e.n_args && e.action == SECCOMP_RET_ALLOW))
		return r;
	e.n_args = 0;
	e.nr = nr > -200 ? I386_SOCKETCALL : I386_IPC;
	e.mux = (uint32_t)(nr > -200 ? -100 - nr : -200 - nr);
	return add(p, e);
}

static int add_rule(struct part *p, const struct seccomp_rule *rule)
{
	struct entry e = {
		.action = seccomp_rule_bits(rule), .args = rule->args, .n_args = rule->n_args};
	bool split = seccomp_rule_is_split(rule);
	int r = 0;

	if (e.action == seccomp_default_bits(p->profile))
		return 0;
	for (size_t i = 0; r == 0 && i < rule->n_names; i++) {
		int nr = seccomp_syscall_resolve_name_arch(p->scmp, rule->names[i]);

		if (nr == __NR_SCMP_ERROR)
			continue;
		if (!split)
			r = add_number(p, nr, e);
		for (size_t k = 0; split && r == 0 && k < rule->n_args; k++) {
			struct entry one = {
				.action = e.action, .args = &rule->args[k], .n_args = 1};

			r = add_number(p, nr, one);
		}
	}
	return r;
}

static int add_newer(struct part *p)
{
	uint32_t newer[SECCOMP_NEWER_MAX];
	size_t n = seccomp_newer_calls(p->profile, newer);
	uint32_t bit = p->arch == SECCOMP_ARCH_X32 ? SECCOMP_X32_BIT : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(p, (struct entry){.nr = newer[i] | bit, .action = SECCOMP_RET_ALLOW});
	return r;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- leaves -------------------------------------------------------------------------------- */

/* One comparison, of half of an argument or of both halves. The instructions fall through where it
 * holds and jump FAIL behind themselves where not; as the distance is not known yet, they are
 * marked with jump targets that patch() replaces. */
enum { TO_FAIL = 255, TO_PASS = 254 };

static int put_load(struct buf *b, const struct seccomp_arg *a, bool high)
{
	bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	return put(b, BPF_LD | BPF_W | BPF_ABS,
		   (uint32_t)ARG_OFF(a->index) + (high == little ? 4 : 0), 0, 0);
}

/* The high half: where it decides alone, it does. Bits of a masked comparison's value that the mask
 * has not are ignored, as libseccomp does. */
static int put_high(struct buf *b, const struct seccomp_arg *a)
{
	uint32_t v = (uint32_t)(a->value >> 32), w = v & (uint32_t)(a->value_two >> 32);
	size_t above = a->op == SECCOMP_IS_GE || a->op == SECCOMP_IS_GT ? TO_PASS : TO_FAIL;
	size_t below = above == TO_PASS ? TO_FAIL : TO_PASS;
	int r = put_load(b, a, true);

	if (r < 0)
		return r;
	switch (a->op) {
	case SECCOMP_IS_EQ:
		return put(b, BPF_JMP | BPF_JEQ | BPF_K, v, 0, TO_FAIL);
	case SECCOMP_IS_NE:
		return put(b, BPF_JMP | BPF_JEQ | BPF_K, v, 0, TO_PASS);
	case SECCOMP_IS_MASKED_EQ:
		r = put(b, BPF_ALU | BPF_AND | BPF_K, v, 0, 0);
		return r < 0 ? r : put(b, BPF_JMP | BPF_JEQ | BPF_K, w, 0, TO_FAIL);
	default:
		r = put(b, BPF_JMP | BPF_JGT | BPF_K, v, above, 0);
		return r < 0 ? r : put(b, BPF_JMP | BPF_JEQ | BPF_K, v, 0, below);
	}
}

static int put_low(struct buf *b, const struct seccomp_arg *a)
{
	uint32_t v = (uint32_t)a->value, w = v & (uint32_t)a->value_two;
	int r = put_load(b, a, false);

	if (r < 0)
		return r;
	switch (a->op) {
	case SECCOMP_IS_EQ:
		return put(b, BPF_JMP | BPF_JEQ | BPF_K, v, TO_PASS, TO_FAIL);
	case SECCOMP_IS_NE:
		return put(b, BPF_JMP | BPF_JEQ | BPF_K, v, TO_FAIL, TO_PASS);
	case SECCOMP_IS_MASKED_EQ:
		r = put(b, BPF_ALU | BPF_AND | BPF_K, v, 0, 0);
		return r < 0 ? r : put(b, BPF_JMP | BPF_JEQ | BPF_K, w, TO_PASS, TO_FAIL);
	case SECCOMP_IS_GE:
		return put(b, BPF_JMP | BPF_JGE | BPF_K, v, TO_PASS, TO_FAIL);
	case SECCOMP_IS_GT:
		return put(b, BPF_JMP | BPF_JGT | BPF_K, v, TO_PASS, TO_FAIL);
	case SECCOMP_IS_LT:
		return put(b, BPF_JMP | BPF_JGE | BPF_K, v, TO_FAIL, TO_PASS);
	default: /* LE */
		return put(b, BPF_JMP | BPF_JGT | BPF_K, v, TO_FAIL, TO_PASS);
	}
}

/* Replaces the marks in instructions FROM..END: TO_PASS is the end, TO_FAIL the end plus SKIP. */
static void patch(struct buf *b, size_t from, size_t mark, size_t target)
{
	struct sock_filter *v = (struct sock_filter *)(void *)b->data;

	for (size_t i = from; i < count(b); i++) {
		if (BPF_CLASS(v[i].code) != BPF_JMP)
			continue;
		if (v[i].jt == mark)
			v[i].jt = (uint8_t)(target - i - 1);
		if (v[i].jf == mark)
			v[i].jf = (uint8_t)(target - i - 1);
	}
}

static int put_comparison(struct part *p, const struct seccomp_arg *a)
{
	size_t from = count(&p->leaves);
	/* The mask of a half without bits holds whatever the half is. */
	bool high = p->wide &&
		    !(a->op == SECCOMP_IS_MASKED_EQ && !(a->value >> 32) && !(a->value_two >> 32));
	int r = high ? put_high(&p->leaves, a) : 0;

	if (r == 0)
		r = put_low(&p->leaves, a);
	patch(&p->leaves, from, TO_PASS, count(&p->leaves));
	return r;
}

/* All comparisons of one entry, and its action. */
static int put_entry(struct part *p, const struct entry *e)
{
	const struct seccomp_arg mux = {.op = SECCOMP_IS_EQ, .value = e->mux};
	size_t from = count(&p->leaves);
	int r = e->mux ? put_comparison(p, &mux) : 0;

	for (size_t i = 0; r == 0 && i < e->n_args; i++)
		r = put_comparison(p, &e->args[i]);
	if (r == 0)
		r = put(&p->leaves, BPF_RET | BPF_K, e->action, 0, 0);
	patch(&p->leaves, from, TO_FAIL, count(&p->leaves));
	return r;
}

/* ---- ranges -------------------------------------------------------------------------------- */

static void add_range(struct part *p, struct range range)
{
	struct range *last = p->n_ranges ? &p->ranges[p->n_ranges - 1] : NULL;

	if (last && last->plain && range.plain && last->action == range.action)
		return;
	p->ranges[p->n_ranges++] = range;
}

/* The range of one call from its N entries. */
static int add_call(struct part *p, const struct entry *e, size_t n)
{
	struct range range = {.start = e->nr, .plain = true, .n = 1};
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		if (e[i].n_args || e[i].mux)
			continue;
		range.action = e[i].action;
		add_range(p, range);
		return 0;
	}
	range.plain = false;
	range.first = count(&p->leaves);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = put_entry(p, &e[i]);
	if (r == 0)
		r = put(&p->leaves, BPF_RET | BPF_K, seccomp_default_bits(p->profile), 0, 0);
	range.n = count(&p->leaves) - range.first;
	add_range(p, range);
	return r;
}

/* What no rule names: the default action up to LAST, the profile's newest call, ENOSYS above. */
static void add_gap(struct part *p, uint32_t from, uint32_t to, uint32_t last)
{
	struct range range = {.start = from, .plain = true, .n = 1};

	range.action = seccomp_default_bits(p->profile);
	if (from < to && from <= last)
		add_range(p, range);
	if (to <= last + 1)
		return;
	range.start = MAX(from, last + 1);
	range.action = SECCOMP_RET_ERRNO | ENOSYS;
	if (range.start < to)
		add_range(p, range);
}

static int make_ranges(struct part *p)
{
	bool x32 = p->arch == SECCOMP_ARCH_X32;
	uint32_t next = x32 ? SECCOMP_X32_BIT : 0;
	uint32_t last = seccomp_last_call(p->profile, p->scmp);
	int r = 0;

	/* Each call is at most a range and two gaps. */
	p->ranges = calloc(3 * p->n_entries + 3, sizeof(*p->ranges));
	if (!p->ranges)
		return -ENOMEM;
	if (!last || !seccomp_wants_enosys(p->profile))
		last = UINT32_MAX - 1;
	for (size_t i = 0, n; r == 0 && i < p->n_entries; i += n) {
		const struct entry *e = &p->entries[i];

		for (n = 1; i + n < p->n_entries && e[n].nr == e->nr;)
			n++;
		add_gap(p, next, e->nr, last);
		r = add_call(p, e, n);
		next = e->nr + 1;
	}
	add_gap(p, next, UINT32_MAX, last);
	return r;
}

/* ---- the tree ------------------------------------------------------------------------------ */

static size_t tree_size(const struct part *p, size_t lo, size_t hi)
{
	size_t mid = lo + (hi - lo) / 2, left;

	if (hi - lo == 1)
		return p->ranges[lo].n;
	left = tree_size(p, lo, mid);
	return 1 + (left > UINT8_MAX) + left + tree_size(p, mid, hi);
}

static int put_leaf(struct part *p, const struct range *range)
{
	if (range->plain)
		return put(&p->code, BPF_RET | BPF_K, range->action, 0, 0);
	return buf_put(&p->code, p->leaves.data + range->first * sizeof(struct sock_filter),
		       range->n * sizeof(struct sock_filter));
}

static int put_tree(struct part *p, size_t lo, size_t hi)
{
	size_t mid = lo + (hi - lo) / 2, left;
	uint32_t start;
	int r;

	if (hi - lo == 1)
		return put_leaf(p, &p->ranges[lo]);
	start = p->ranges[mid].start;
	left = tree_size(p, lo, mid);
	if (left <= UINT8_MAX) {
		r = put(&p->code, BPF_JMP | BPF_JGE | BPF_K, start, left, 0);
	} else {
		r = put(&p->code, BPF_JMP | BPF_JGE | BPF_K, start, 0, 1);
		if (r == 0)
			r = put(&p->code, BPF_JMP | BPF_JA, (uint32_t)left, 0, 0);
	}
	if (r == 0)
		r = put_tree(p, lo, mid);
	return r < 0 ? r : put_tree(p, mid, hi);
}

/* ---- architectures ------------------------------------------------------------------------- */

static bool find_arch(uint32_t arch, struct part *p)
{
	static const struct {
		uint32_t arch, scmp;
		bool wide;
	} known[] = {
		{AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, true},
		{AUDIT_ARCH_I386, SCMP_ARCH_X86, false},
		{SECCOMP_ARCH_X32, SCMP_ARCH_X32, false},
		{AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, true},
		{AUDIT_ARCH_ARM, SCMP_ARCH_ARM, false},
		{AUDIT_ARCH_RISCV64, SCMP_ARCH_RISCV64, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].arch != arch)
			continue;
		p->arch = arch;
		p->scmp = known[i].scmp;
		p->wide = known[i].wide;
		return true;
	}
	return false;
}

/* Appends the tree of one architecture to OUT. */
static int put_arch(const struct seccomp_profile *profile, uint32_t arch, struct buf *out)
{
	_cleanup_(part_done) struct part p = {
		.profile = profile, .leaves = BUF_INIT(CODE_MAX), .code = BUF_INIT(CODE_MAX)};
	int r = 0;

	if (!find_arch(arch, &p))
		return -EOPNOTSUPP;
	for (size_t i = 0; r == 0 && i < profile->n_rules; i++)
		r = add_rule(&p, &profile->rules[i]);
	if (r == 0 && seccomp_wants_enosys(profile))
		r = add_newer(&p);
	if (r < 0)
		return r;
	if (p.n_entries)
		qsort(p.entries, p.n_entries, sizeof(*p.entries), compare_entries);
	r = make_ranges(&p);
	if (r == 0)
		r = put_tree(&p, 0, p.n_ranges);
	return r < 0 ? r : buf_put(out, p.code.data, p.code.len);
}

static bool has_arch(const struct seccomp_profile *p, uint32_t arch)
{
	for (size_t i = 0; i < p->n_arches; i++)
		if (p->arches[i] == arch)
			return true;
	return false;
}

/* Appends everything about one value of seccomp_data.arch: the test, the load of the number, the
 * tree; behind x86_64's the one of x32. Where x32 is not wanted its calls do not exist. */
static int put_part(const struct seccomp_profile *profile, uint32_t arch, struct buf *out)
{
	_cleanup_(buf_done) struct buf tree = BUF_INIT(CODE_MAX);
	size_t start;
	int r = put(&tree, BPF_LD | BPF_W | BPF_ABS, NR_OFF, 0, 0);

	if (r == 0 && arch == AUDIT_ARCH_X86_64)
		r = put(&tree, BPF_JMP | BPF_JGE | BPF_K, SECCOMP_X32_BIT, 0, 1);
	start = count(&tree);
	if (r == 0 && arch == AUDIT_ARCH_X86_64)
		r = put(&tree, BPF_JMP | BPF_JA, 0, 0, 0);
	if (r == 0)
		r = put_arch(profile, arch, &tree);
	if (r == 0 && arch == AUDIT_ARCH_X86_64) {
		((struct sock_filter *)(void *)tree.data)[start].k =
			(uint32_t)(count(&tree) - start - 1);
		if (has_arch(profile, SECCOMP_ARCH_X32))
			r = put_arch(profile, SECCOMP_ARCH_X32, &tree);
		else
			r = put(&tree, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
	}
	if (r == 0)
		r = put(out, BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0);
	if (r == 0)
		r = put(out, BPF_JMP | BPF_JA, (uint32_t)count(&tree), 0, 0);
	return r < 0 ? r : buf_put(out, tree.data, tree.len);
}

int seccomp_generate(const struct seccomp_profile *profile, struct buf *out)
{
	_cleanup_(buf_done) struct buf code = BUF_INIT(CODE_MAX);
	uint32_t native = seccomp_native_arch();
	int r = put(&code, BPF_LD | BPF_W | BPF_ABS, ARCH_OFF, 0, 0);

	if (r == 0)
		r = put_part(profile, native, &code);
	for (size_t i = 0; r == 0 && i < profile->n_arches; i++)
		if (profile->arches[i] != native && profile->arches[i] != SECCOMP_ARCH_X32)
			r = put_part(profile, profile->arches[i], &code);
	if (r == 0)
		r = put(&code, BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD, 0, 0);
	if (r < 0)
		return r == -EMSGSIZE ? -E2BIG : r;
	return buf_put(out, code.data, code.len);
}
