/* KERNEL chooses: 0 a sum that any arm64 CPU computes, 1 atomics, 2 the dot product, 3 a loop for SVE. */
#include <arm_neon.h>

#ifndef NAME
#define NAME kernel
#endif

__attribute__((noinline)) int NAME(int count)
{
#if KERNEL == 1
    static int cell;
    cell = 1;
    __atomic_fetch_add(&cell, 2, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&cell, __ATOMIC_SEQ_CST) == 3 ? count : -1;
#elif KERNEL == 2
    volatile int one = 1;
    int8x16_t ones = vdupq_n_s8((int8_t)one);
    int32x4_t sums = vdotq_s32(vdupq_n_s32(0), ones, ones);
    return vaddvq_s32(sums) == 16 ? count : -1;
#else
    volatile float seed = 1.0f;
    float numbers[64], total = 0.0f;
    for (int i = 0; i < 64; i++)
        numbers[i] = seed;
    for (int i = 0; i < 64; i++)
        numbers[i] = numbers[i] * 2.0f + seed;
    for (int i = 0; i < 64; i++)
        total += numbers[i];
    return total == 192.0f ? count : -1;
#endif
}
