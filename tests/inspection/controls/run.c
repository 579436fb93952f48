/* Loads a library and calls `work` in it: status 0 where the answer is right. With no second word it only loads. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **words)
{
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 3;
    }
    if (count < 3)
        return 0;
    int (*work)(int) = (int (*)(int))dlsym(library, "work");
    return work && work(64) == 64 ? 0 : 4;
}
