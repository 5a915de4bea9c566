/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a strerror for programs with musl, with the words of the C library that this one is linked
 * with: those that people know and search for. It takes the place of musl's where both are linked.
 */
#include <stdio.h>
#include <string.h>

enum { NUMBERS = 134 }; /* errno(3): the last is EHWPOISON, 133 */

int main(void)
{
	puts("#include <string.h>\n\nstatic const char words[] =");
	for (int i = 0; i < NUMBERS; i++)
		printf("\t\"%s\\0\"\n", strerror(i));
	printf("\t\"Unknown error\";\n\n"
	       "char *strerror(int number)\n{\n"
	       "\tconst char *at = words;\n\n"
	       "\tif (number < 0 || number > %d)\n\t\tnumber = %d;\n"
	       "\twhile (number-- > 0)\n\t\tat += strlen(at) + 1;\n"
	       "\treturn (char *)(unsigned long)at;\n}\n",
	       NUMBERS, NUMBERS);
	return 0;
}
