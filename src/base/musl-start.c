/* SPDX-License-Identifier: Apache-2.0 */
/* Where a program with musl begins, before musl: the first thing that this does is to relocate
 * itself, page by page, and each page costs a fault, which in a virtual machine is half of the work
 * of a short program's start. One madvise(2) has the kernel make all of them. Kernels before 5.14
 * refuse, which changes nothing. In assembly, because nothing works before relocation, and because
 * the stack and its pointer are the program's arguments. */
#include "base/macro.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

/* From the first page of what is written to by relocation to the end of initialised data. rdx is to
 * be 0 for musl's _start: there is no dynamic linker whose function runs at exit. */
__asm__(".text\n"
	".globl small_start\n"
	".type small_start, @function\n"
	"small_start:\n"
	"	endbr64\n"
	"	lea __init_array_start(%rip), %rdi\n"
	"	and $-4096, %rdi\n"
	"	lea _edata(%rip), %rsi\n"
	"	sub %rdi, %rsi\n"
	"	mov $" TEXT(
		MADV_POPULATE_WRITE) ", %edx\n"
				     "	mov $" TEXT(
					     SYS_madvise) ", %eax\n"
							  "	syscall\n"
							  "	xor %edx, %edx\n"
							  "	jmp _start\n"
							  ".size small_start, . - small_start\n");
