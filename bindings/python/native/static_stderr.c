/* Only linked together with a static LMDB that was built for programs: its one
 * reference to stderr would need a relocation of code. The linker's
 * --wrap=stderr sends it here. */
#include <stdio.h>

extern FILE *__real_stderr;
__attribute__((visibility("hidden"))) FILE *__wrap_stderr;

__attribute__((constructor)) static void native_begin(void)
{
    __wrap_stderr = __real_stderr;
}
