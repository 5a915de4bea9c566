/* SPDX-License-Identifier: Apache-2.0 */
/* What is used of eBPF, as <linux/bpf.h> has it (the kernel's stable interface). That header cannot
 * be included: its list of helper functions spells names that base/banned.h poisons. */
#ifndef KOGGE_KERNEL_BPF_INTERNAL_H
#define KOGGE_KERNEL_BPF_INTERNAL_H

#include <linux/bpf_common.h>
#include <stdint.h>

#define BPF_ALU64 0x07
#define BPF_MOV   0xb0
#define BPF_JNE   0x50
#define BPF_EXIT  0x90

enum { BPF_REG_0, BPF_REG_1, BPF_REG_2, BPF_REG_3, BPF_REG_4, BPF_REG_5 };

struct bpf_insn {
	uint8_t code;
	uint8_t dst_reg : 4;
	uint8_t src_reg : 4;
	int16_t off;
	int32_t imm;
};

/* The context of a device program. */
struct bpf_cgroup_dev_ctx {
	uint32_t access_type; /* access bits << 16 | type */
	uint32_t major;
	uint32_t minor;
};

enum { BPF_DEVCG_ACC_MKNOD = 1, BPF_DEVCG_ACC_READ = 2, BPF_DEVCG_ACC_WRITE = 4 };
enum { BPF_DEVCG_DEV_BLOCK = 1, BPF_DEVCG_DEV_CHAR = 2 };

/* Commands and their arguments (the first fields of union bpf_attr; the kernel takes the rest as
 * zero). */
enum {
	BPF_PROG_LOAD = 5,
	BPF_PROG_ATTACH = 8,
	BPF_PROG_DETACH = 9,
	BPF_PROG_GET_FD_BY_ID = 13,
	BPF_PROG_QUERY = 16,
};
enum { BPF_PROG_TYPE_CGROUP_DEVICE = 15, BPF_CGROUP_DEVICE = 6, BPF_F_ALLOW_MULTI = 2 };

struct bpf_load_attr {
	uint32_t prog_type;
	uint32_t insn_cnt;
	uint64_t insns;
	uint64_t license;
	uint32_t log_level, log_size;
	uint64_t log_buf;
};

struct bpf_attach_attr {
	uint32_t target_fd;
	uint32_t attach_bpf_fd;
	uint32_t attach_type;
	uint32_t attach_flags;
};

struct bpf_query_attr {
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t prog_cnt;
	uint32_t pad;
};

struct bpf_id_attr {
	uint32_t prog_id;
	uint32_t next_id;
	uint32_t open_flags;
};

#endif
