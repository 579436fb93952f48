/* Calls the better kernel where the kernel of the system tells of the feature; BIT is its bit of AT_HWCAP. */
#include <sys/auxv.h>

int kernel(int count);
int better_kernel(int count);

int work(int count)
{
    return getauxval(AT_HWCAP) >> BIT & 1 ? better_kernel(count) : kernel(count);
}
