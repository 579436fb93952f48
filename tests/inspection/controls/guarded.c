/* Calls the better kernel where the CPU has what FEATURE names. */
int kernel(int count);
int better_kernel(int count);

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

int work(int count)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports(TEXT(FEATURE)) ? better_kernel(count) : kernel(count);
}
