/* Takes a flag from its caller, as compression libraries do: the names of the two kernels tell for whom each is. */
int kernel_default(int count);
int kernel_avx2(int count);

int chosen(int count, int better)
{
    return better ? kernel_avx2(count) : kernel_default(count);
}

int work(int count)
{
    return chosen(count, 0);
}
