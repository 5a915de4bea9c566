/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink: messages are written into a batch, sent by one call, and answered at once. The kernel
 * handles a request while it is being sent, so that nothing here ever waits. What comes back is
 * parsed with every length checked. Functions return 0 or a negative errno; writing remembers its
 * first failure in the batch, and nl_run returns it, so that callers check once. */
#ifndef KOGGE_KERNEL_NETLINK_H
#define KOGGE_KERNEL_NETLINK_H

#include "base/buf.h"
#include "base/macro.h"

#include <linux/netlink.h>
#include <sys/types.h>

#define NL_BATCH_MAX  ((size_t)64 << 20)
#define NL_FAULT_TEXT 160

/* Messages on their way. */
struct nl_batch {
	struct buf bytes;
	size_t message; /* where the one that is being written starts */
	uint32_t n;     /* messages so far: the Nth has the sequence number N, from 1 */
	int failed;     /* first error of writing, negative */
};

#define NL_BATCH_INIT ((struct nl_batch){.bytes = BUF_INIT(NL_BATCH_MAX)})

/* What the kernel said about the first message that failed. */
struct nl_fault {
	uint32_t message;         /* its number, from 1; 0: none failed */
	int errnum;               /* negative */
	char text[NL_FAULT_TEXT]; /* its extended acknowledgement, or "" */
};

/* Opens a socket of PROTOCOL (NETLINK_ROUTE, NETLINK_NETFILTER, ...) with extended
 * acknowledgements. Returns the descriptor. */
int nl_open(int protocol);

/* Frees the bytes. */
void nl_batch_done(struct nl_batch *b);

/* Begins a message with the N bytes of its fixed HEAD. NLM_F_REQUEST is added. */
void nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, const void *head, size_t n);

/* Add an attribute to the message: bytes, numbers in the host's or (be) the net's order, a string
 * with its NUL. */
void nl_put(struct nl_batch *b, uint16_t type, const void *data, size_t n);
void nl_put_u8(struct nl_batch *b, uint16_t type, uint8_t v);
void nl_put_u16(struct nl_batch *b, uint16_t type, uint16_t v);
void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v);
void nl_put_be32(struct nl_batch *b, uint16_t type, uint32_t v);
void nl_put_be64(struct nl_batch *b, uint16_t type, uint64_t v);
void nl_put_str(struct nl_batch *b, uint16_t type, const char *s);

/* Opens an attribute that holds attributes; what is returned closes it. */
size_t nl_nest(struct nl_batch *b, uint16_t type);
void nl_nest_end(struct nl_batch *b, size_t nest);

/* Bytes without an attribute around them (a second fixed head inside a nest). */
void nl_raw(struct nl_batch *b, const void *data, size_t n);

/* The bytes of the message that is being written. */
size_t nl_message_size(const struct nl_batch *b);

/* Sends the batch; the last message asks for an acknowledgement. -errno of the first message that
 * failed, which RET_FAULT (may be NULL) describes; others may have been carried out, except in a
 * transaction of nfnetlink. The batch is empty afterwards. */
int nl_run(int sock, struct nl_batch *b, struct nl_fault *ret_fault);

/* One received message: its fixed head and attributes are in DATA. */
struct nl_message {
	uint16_t type;
	uint32_t port; /* whose request it comes from, for news: nl_port of that socket */
	const void *data;
	size_t n;
};

/* Called for each message; a negative errno ends the reading and is returned. */
typedef int (*nl_message_fn)(void *arg, const struct nl_message *m);

/* Sends the one request in B (with NLM_F_DUMP or without) and calls FN for each message of the
 * answer. -EINTR: the list changed while it was read; ask again. */
int nl_ask(int sock, struct nl_batch *b, nl_message_fn fn, void *arg);

/* Calls FN for all that has come by itself on a socket that listens to groups. -ENOBUFS: some was
 * lost. */
int nl_listen(int sock, nl_message_fn fn, void *arg);

/* The socket's own address, by which news of its requests is known; 0 where it has none. */
uint32_t nl_port(int sock);

/* Joins the multicast group. */
int nl_join(int sock, unsigned group);

/* An attribute's content. DATA is NULL where it was not there. */
struct nl_attr {
	const void *data;
	size_t n;
};

/* Finds the attributes of types 0 to MAX in the N bytes of DATA: RET has MAX + 1 entries, of which
 * the last one of a type counts. -EBADMSG where lengths do not fit. */
int nl_parse(const void *data, size_t n, struct nl_attr *ret, unsigned max);

/* The same behind the HEAD bytes of a message's fixed head, which are copied to RET_HEAD. */
int nl_parse_message(const struct nl_message *m, void *ret_head, size_t head, struct nl_attr *ret,
		     unsigned max);

/* Takes the first attribute, of any type, off LIST, for lists whose elements are of one type: 1;
 * 0 at its end, -EBADMSG where lengths do not fit. */
int nl_next(struct nl_attr *list, struct nl_attr *ret);

/* The number in an attribute; 0 where it is absent or too short. */
uint32_t nl_u32(const struct nl_attr *a);

/* The string in an attribute cut to SIZE with its NUL; "" where it is absent. */
void nl_str(const struct nl_attr *a, char *ret, size_t size);

#endif
