/* SPDX-License-Identifier: Apache-2.0 */
/* firewalld keeps its rules in a table of its own, with a chain for each zone that ends in a
 * refusal; what belongs to no zone falls into the default one. So a bridge is put into the zone
 * "trusted", as Docker and Podman do with theirs, by a call over the bus of the system
 * (firewalld.dbus(5)). The binding lasts as long as firewalld; rules of the host's owner for other
 * zones hold as before. */
#include "base/str.h"
#include "base/trace.h"
#include "net/net-internal.h"
#include "runtime/dbus.h"

#include <errno.h>

#define BUS     "/run/dbus/system_bus_socket"
#define SERVICE "org.fedoraproject.FirewallD1"
#define ZONE    "trusted"

/* Somebody's bus does not hold up the start of a container for longer. */
enum { TIMEOUT_S = 3, OTHERS_MAX = 100 };

/* Waits for the answer to SERIAL. 1: done; 0: refused, which *RET_TEXT explains. */
static int answer(struct dbus *bus, uint32_t serial, const char **ret_text)
{
	struct dbus_message m;

	for (int i = 0; i < OTHERS_MAX; i++) {
		struct dbus_reader reader;
		int r = dbus_receive(bus, &m);

		if (r < 0)
			return r;
		if (m.reply_to != serial || m.type == DBUS_SIGNAL)
			continue;
		reader = dbus_reader_of(&m);
		*ret_text = dbus_get_str(&reader);
		return m.type == DBUS_RETURN;
	}
	return -EPROTO;
}

static int call(struct dbus *bus, const char *member, const char *link)
{
	static const struct dbus_object firewalld = {SERVICE, "/org/fedoraproject/FirewallD1"};
	_cleanup_(dbus_body_done) struct dbus_body body = DBUS_BODY_INIT;
	const struct dbus_call c = {SERVICE ".zone", member, "ss", &body, &firewalld};
	const char *text = "";
	uint32_t serial;
	int r;

	dbus_put_str(&body, ZONE);
	dbus_put_str(&body, link);
	r = dbus_send(bus, &c, &serial);
	if (r == 0)
		r = answer(bus, serial, &text);
	TRACE("firewalld %s %s: %d %s", member, link, r, text);
	return r;
}

void firewalld_trust(const char *link, bool del)
{
	_cleanup_(dbus_done) struct dbus bus = DBUS_INIT;

	if (dbus_open(&bus, BUS, TIMEOUT_S) < 0 || dbus_hello(&bus) < 0)
		return;
	(void)call(&bus, del ? "removeInterface" : "addInterface", link);
}
