/* The loader asks a resolver which kernel to take; what that one looks at says nothing of CPUs. */
int kernel_plain(int count);
int kernel_fast(int count);

static const volatile int better = 0;

static int (*resolve(void))(int)
{
    return better ? kernel_fast : kernel_plain;
}

__attribute__((ifunc("resolve"))) int work(int count);
