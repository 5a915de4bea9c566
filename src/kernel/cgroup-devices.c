/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel calls the program with struct bpf_cgroup_dev_ctx: access_type (the access bits above
 * the type of the device), major, minor; it returns 1 to allow. The last rule that matches
 * decides, so the rules are tested from the last to the first, and the first match returns:
 *
 *   r2 = type, r3 = access, r4 = major, r5 = minor
 *   for each rule: where r2, r3, r4 or r5 does not fit, jump behind it; r0 = allow; exit
 *   r0 = 0; exit
 *
 * A rule for everything ends the program. Allow rules for the same device are merged, because an
 * open for reading and writing must find both in one rule, as it would on version 1. */
#include "kernel/cgroup-devices.h"

#include "base/fd.h"
#include "kernel/bpf-internal.h"
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSNS_MAX_PER_RULE 8
#define ALL_ACCESS         (CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD)

/* The kernel's bits (BPF_DEVCG_ACC_*): mknod 1, read 2, write 4. */
static int32_t kernel_access(uint8_t access)
{
	return (access & CGROUP_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0) |
	       (access & CGROUP_READ ? BPF_DEVCG_ACC_READ : 0) |
	       (access & CGROUP_WRITE ? BPF_DEVCG_ACC_WRITE : 0);
}

struct program {
	struct bpf_insn *v;
	size_t n;
};

static struct bpf_insn *emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int32_t imm)
{
	struct bpf_insn *i = &p->v[p->n++];

	*i = (struct bpf_insn){.code = code, .dst_reg = dst & 15, .src_reg = src & 15, .imm = imm};
	return i;
}

static void emit_load(struct program *p, uint8_t reg, int16_t offset)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, 0)->off = offset;
}

static void emit_return(struct program *p, bool allow)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

static void emit_prologue(struct program *p)
{
	emit_load(p, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit_load(p, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(p, BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 16);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0xffff);
}

/* Jumps out of the rule where the access does not fit: an allow rule must hold all of it, a deny
 * rule some. */
static void emit_access(struct program *p, const struct cgroup_device *d)
{
	if (d->access == ALL_ACCESS)
		return;
	if (d->allow) {
		emit(p, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0,
		     kernel_access(ALL_ACCESS & ~d->access));
		return;
	}
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_1, 0, kernel_access(d->access));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0);
}

/* Emits one rule. Returns whether it matches everything, so that nothing behind it counts. */
static bool emit_rule(struct program *p, const struct cgroup_device *d)
{
	size_t start = p->n;

	if (d->type != 'a')
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0,
		     d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	emit_access(p, d);
	if (d->major >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, (int32_t)d->major);
	if (d->minor >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, 0, (int32_t)d->minor);
	emit_return(p, d->allow);
	if (p->n == start + 2)
		return true;
	/* All jumps of the rule lead behind it. */
	for (size_t i = start; i < p->n; i++)
		if (BPF_CLASS(p->v[i].code) == BPF_JMP && BPF_OP(p->v[i].code) != BPF_EXIT)
			p->v[i].off = (int16_t)(p->n - i - 1);
	return false;
}

static bool is_sound(const struct cgroup_device *d)
{
	return (d->type == 'a' || d->type == 'b' || d->type == 'c') && d->access &&
	       !(d->access & ~ALL_ACCESS) && d->major >= -1 && d->major <= INT32_MAX &&
	       d->minor >= -1 && d->minor <= INT32_MAX;
}

static bool is_same_device(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/* Copies the rules to OUT with neighbouring allow rules for one device merged. Returns how many,
 * or -EINVAL. */
static int merge(const struct cgroup_device *rules, size_t n, struct cgroup_device *out)
{
	size_t count = 0, run = 0; /* run: where the current run of allow rules starts in OUT */

	for (size_t i = 0; i < n; i++) {
		size_t j = run;

		if (!is_sound(&rules[i]))
			return -EINVAL;
		while (rules[i].allow && j < count && !is_same_device(&out[j], &rules[i]))
			j++;
		if (rules[i].allow && j < count) {
			out[j].access |= rules[i].access;
			continue;
		}
		out[count++] = rules[i];
		if (!rules[i].allow)
			run = count;
	}
	return (int)count;
}

int cgroup_device_program(const struct cgroup_device *rules, size_t n, struct bpf_insn **ret)
{
	_cleanup_(freep) struct cgroup_device *merged = NULL;
	struct program p = {0};
	bool ended = false;
	int count;

	if (n > CGROUP_DEVICES_MAX)
		return -E2BIG;
	merged = calloc(n + 1, sizeof(*merged));
	if (!merged)
		return -ENOMEM;
	count = merge(rules, n, merged);
	if (count < 0)
		return count;
	p.v = calloc((size_t)count * INSNS_MAX_PER_RULE + 8, sizeof(*p.v));
	if (!p.v)
		return -ENOMEM;
	emit_prologue(&p);
	for (size_t i = (size_t)count; i > 0 && !ended; i--)
		ended = emit_rule(&p, &merged[i - 1]);
	if (!ended)
		emit_return(&p, false);
	*ret = p.v;
	return (int)p.n;
}

static int bpf(int cmd, void *attr, size_t n)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, n);

	return r < 0 ? -errno : r;
}

static int load(const struct bpf_insn *insns, int n)
{
	struct bpf_load_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)insns,
		.insn_cnt = (uint32_t)n,
		.license = (uint64_t)(uintptr_t) "Apache-2.0",
	};

	return bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* The programs that are attached to DIR itself. Returns how many. */
static int attached(int dir, uint32_t *ids, uint32_t max)
{
	struct bpf_query_attr attr = {
		.target_fd = (uint32_t)dir,
		.attach_type = BPF_CGROUP_DEVICE,
		.prog_ids = (uint64_t)(uintptr_t)ids,
		.prog_cnt = max,
	};
	int r = bpf(BPF_PROG_QUERY, &attr, sizeof(attr));

	return r < 0 ? r : (int)attr.prog_cnt;
}

static int attach(int cmd, int dir, int prog)
{
	struct bpf_attach_attr attr = {
		.target_fd = (uint32_t)dir,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = cmd == BPF_PROG_ATTACH ? BPF_F_ALLOW_MULTI : 0,
	};

	return bpf(cmd, &attr, sizeof(attr));
}

static void detach(int dir, uint32_t id)
{
	struct bpf_id_attr attr = {.prog_id = id};
	_cleanup_(fd_close) int prog = bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));

	if (prog >= 0)
		attach(BPF_PROG_DETACH, dir, prog);
}

/* All attached programs must allow, so the new one is attached before the old ones go: an update
 * is never looser than both. */
int cgroup_devices_attach(int dir, const struct cgroup_device *rules, size_t n,
			  struct cgroup_fault *fault)
{
	_cleanup_(freep) struct bpf_insn *insns = NULL;
	_cleanup_(fd_close) int prog = -1;
	uint32_t old[64];
	int n_old = attached(dir, old, ARRAY_SIZE(old));
	int count = cgroup_device_program(rules, n, &insns);
	int r;

	if (count < 0)
		return cgroup_fail(fault, count, "device rules", "");
	prog = load(insns, count);
	r = prog < 0 ? prog : attach(BPF_PROG_ATTACH, dir, prog);
	if (r < 0)
		return cgroup_fail(fault, r, "eBPF program for devices", "");
	for (int i = 0; i < n_old; i++)
		detach(dir, old[i]);
	return 0;
}
