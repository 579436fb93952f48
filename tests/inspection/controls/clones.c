/* The compiler makes a copy for each target, and the loader's resolver chooses. */
__attribute__((target_clones("default", "avx2", "avx512f"))) static int added(const int *numbers, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += numbers[i] * 3;
    return sum;
}

int work(int count)
{
    volatile int one = 1;
    int numbers[64];
    for (int i = 0; i < 64; i++)
        numbers[i] = one;
    return added(numbers, 64) == 192 ? count : -1;
}
