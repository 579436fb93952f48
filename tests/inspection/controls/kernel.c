/* One loop of floats and one of bits: with -mavx2 -mfma -mbmi2 the compiler takes AVX2, FMA and SHLX for them.
   NAME is the function's; it returns its argument where all is well. */
#ifndef NAME
#define NAME kernel
#endif

__attribute__((noinline)) int NAME(int count)
{
    volatile float seed = 1.0f;
    float first[64], second[64], total = 0.0f;
    unsigned int bits[64];
    for (int i = 0; i < 64; i++) {
        first[i] = seed;
        second[i] = seed + seed;
        bits[i] = (unsigned int)i;
    }
    for (int i = 0; i < 64; i++)
        first[i] = first[i] * second[i] + first[i];
    for (int i = 0; i < 64; i++)
        bits[i] = (bits[i] + 3u) * bits[i];
    for (int i = 0; i < 64; i++)
        total += first[i];
    volatile int distance = (int)seed;
    unsigned long long wide = (unsigned long long)bits[5] << distance;
    return total == 192.0f && bits[5] == 40u && wide == 80u ? count : -1;
}
