/* Calls the kernel whatever the CPU. */
int kernel(int count);

int work(int count)
{
    return kernel(count);
}
