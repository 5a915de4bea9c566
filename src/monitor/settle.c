/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel maps sixteen pages around each first touch (fault-around), so that a start leaves most
 * of a static program mapped. Text is clean and stays in the page cache: dropping its mappings
 * costs the few pages of the event loop a minor fault each. */
#include "monitor/settle.h"

#include <stdint.h>
#include <sys/mman.h>

/* The linker's symbols for where the program and its text begin and end. */
extern const char __executable_start[], etext[];

void memory_settle(void)
{
	const uintptr_t page = 4096;
	uintptr_t start = (uintptr_t)__executable_start & ~(page - 1);
	uintptr_t end = (uintptr_t)etext & ~(page - 1);

	if (end > start)
		madvise((void *)start, end - start, MADV_DONTNEED);
}
