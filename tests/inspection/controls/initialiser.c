/* Fills a table when the library is loaded, with no test of the CPU before it: what a file compiled for a better CPU
   brings along whoever calls it. */
static int table[64];

__attribute__((constructor)) static void fill(void)
{
    volatile int one = 1;
    int start = one;
    for (int i = 0; i < 64; i++)
        table[i] = (start + i) * start;
}

int table_sum(void)
{
    return table[0] + table[63];
}
