/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of systemd. */
#include "runtime/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dbus_message m;
	struct dbus_reader r;

	if (dbus_message_length(data, n) != (ssize_t)n || dbus_message_parse(data, n, &m) < 0)
		return 0;
	r = dbus_reader_of(&m);
	for (int i = 0; i < 64 && !r.bad; i++) {
		dbus_get_u32(&r);
		dbus_get_str(&r);
		dbus_get_signature(&r);
	}
	return 0;
}
