/* Own code beside code of another library that asks the CPU; nothing asks before the own code. */
double own0(const double *from, int count);
double old7(const double *from, int count);
double better7(const double *from, int count);

int work(int count)
{
    volatile double one = 1.0;
    double numbers[64];
    for (int i = 0; i < 64; i++)
        numbers[i] = one;
    __builtin_cpu_init();
    double told = __builtin_cpu_supports("avx2") ? better7(numbers, 64) : old7(numbers, 64);
    return own0(numbers, 64) == 64.0 && told == 519.0 ? count : -1;
}
