/* Twenty-four functions with vector code; exported unless HIDDEN. PREFIX begins their names. */
#ifdef HIDDEN
#define PLACE __attribute__((noinline, visibility("hidden")))
#else
#define PLACE __attribute__((noinline))
#endif
#define JOINED(a, b) a##b
#define NAMED(a, b) JOINED(a, b)
#define ONE(number)                                                  \
    PLACE double NAMED(PREFIX, number)(const double *from, int count) \
    {                                                                \
        double total = number;                                       \
        for (int i = 0; i < count; i++)                              \
            total += from[i] * from[i] + number;                     \
        return total;                                                \
    }
#define EIGHT(a, b, c, d, e, f, g, h) ONE(a) ONE(b) ONE(c) ONE(d) ONE(e) ONE(f) ONE(g) ONE(h)

EIGHT(0, 1, 2, 3, 4, 5, 6, 7)
EIGHT(8, 9, 10, 11, 12, 13, 14, 15)
EIGHT(16, 17, 18, 19, 20, 21, 22, 23)
