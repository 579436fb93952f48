/* All that a stripped library shows is `work`; compiled without unwind data, nothing tells where the rest begins. */
#include <stddef.h>

__attribute__((noinline)) static float dot(const float *first, const float *second, size_t count)
{
    float total = 0.0f;
    for (size_t i = 0; i < count; i++)
        total += first[i] * second[i];
    return total;
}

__attribute__((noinline)) static void scale(float *numbers, const float *by, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = numbers[i] * by[i] + numbers[i];
}

__attribute__((noinline)) static unsigned int mix(const unsigned int *bits, size_t count)
{
    unsigned int total = 0;
    for (size_t i = 0; i < count; i++)
        total += bits[i] * 3u;
    return total;
}

__attribute__((visibility("default"))) int work(int count)
{
    volatile float seed = 1.0f;
    float first[64], second[64];
    unsigned int bits[64];
    for (int i = 0; i < 64; i++) {
        first[i] = second[i] = seed;
        bits[i] = (unsigned int)seed;
    }
    scale(first, second, 64);
    return dot(first, second, 64) == 128.0f && mix(bits, 64) == 192u ? count : -1;
}
