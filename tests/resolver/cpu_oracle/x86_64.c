/* What this CPU executes: one instruction of each feature is tried, and whether it traps is printed.
 *
 * A line is "FEATURE HOW ANSWER": HOW is "trap" (the instruction ran or was refused), "result" (it runs on every CPU,
 * but does something else on those that lack it) or "cpuid" (nothing else tells; oracle.py says why), and ANSWER is "yes"
 * or "no". Instructions are those that the Intel SDM vol. 2 and the AMD64 APM vol. 3 put under each feature.
 */
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static sigjmp_buf refused;
static unsigned char room[8192] __attribute__((aligned(64)));

static void on_signal(int number) { siglongjmp(refused, number); }

/* Each trial has room for 64-byte aligned memory in RDI, and EAX, ECX and EDX are 0 but for what it sets itself. */
#define TRIALS(X) \
    X(fpu, "fldz; fstp %st(0)") \
    X(cx8, "cmpxchg8b (%rdi)") \
    X(cmov, "cmovz %ecx, %eax") \
    X(mmx, "pxor %mm0, %mm0; emms") \
    X(fxsr, "fxsave (%rdi)") \
    X(sse, "xorps %xmm0, %xmm0") \
    X(sse2, "pxor %xmm0, %xmm0") \
    X(syscall, "mov $39, %eax; syscall") \
    X(sse3, "haddps %xmm0, %xmm0") \
    X(ssse3, "pshufb %xmm0, %xmm0") \
    X(sse4_1, "pmulld %xmm0, %xmm0") \
    X(sse4_2, "pcmpgtq %xmm0, %xmm0") \
    X(popcnt, "popcnt %ecx, %eax") \
    X(cx16, "cmpxchg16b (%rdi)") \
    X(movbe, "movbe (%rdi), %eax") \
    X(aes, "aesenc %xmm0, %xmm0") \
    X(pclmulqdq, "pclmulqdq $0, %xmm0, %xmm0") \
    X(rdrand, "rdrand %eax") \
    X(xsave, "mov $1, %eax; xsave (%rdi)") \
    X(xsaveopt, "mov $1, %eax; xsaveopt (%rdi)") \
    X(xsavec, "mov $1, %eax; xsavec (%rdi)") \
    X(avx, "vaddps %ymm0, %ymm0, %ymm0") \
    X(f16c, "vcvtph2ps %xmm0, %ymm0") \
    X(fma, "vfmadd132ps %ymm0, %ymm0, %ymm0") \
    X(avx2, "vpaddd %ymm0, %ymm0, %ymm0") \
    X(bmi2, "pdep %eax, %ecx, %eax") \
    X(adx, "adcx %eax, %ecx") \
    X(rtm, "xbegin 1f; xend; 1:") \
    X(clflushopt, "clflushopt (%rdi)") \
    X(clwb, "clwb (%rdi)") \
    X(sha_ni, "sha1nexte %xmm0, %xmm0") \
    X(pku, "rdpkru") \
    X(gfni, "gf2p8mulb %xmm0, %xmm0") \
    X(vaes, "vaesenc %ymm0, %ymm0, %ymm0") \
    X(vpclmulqdq, "vpclmulqdq $0, %ymm0, %ymm0, %ymm0") \
    X(rdpid, "rdpid %rax") \
    X(movdiri, "movdiri %eax, (%rdi)") \
    X(movdir64b, "movdir64b (%rdi), %rdi") \
    X(serialize, "serialize") \
    X(sse4a, "extrq $1, $1, %xmm0") \
    X(xop, "vphaddbw %xmm0, %xmm0") \
    X(fma4, "vfmaddps %xmm0, %xmm0, %xmm0, %xmm0") \
    X(tbm, "blcfill %eax, %eax") \
    X(mwaitx, "mov %rdi, %rax; monitorx") \
    X(clzero, "mov %rdi, %rax; clzero") \
    X(avx_vnni, "{vex} vpdpbusd %ymm0, %ymm0, %ymm0") \
    X(avx_ifma, "{vex} vpmadd52luq %ymm0, %ymm0, %ymm0") \
    X(avx_vnni_int8, "vpdpbssd %ymm0, %ymm0, %ymm0") \
    X(avx_ne_convert, "vbcstnebf162ps (%rdi), %xmm0") \
    X(amx_tile, "tilerelease") \
    X(avx512f, "vaddps %zmm0, %zmm0, %zmm0") \
    X(avx512cd, "vpconflictd %zmm0, %zmm0") \
    X(avx512dq, "vpmullq %zmm0, %zmm0, %zmm0") \
    X(avx512bw, "vpaddb %zmm0, %zmm0, %zmm0") \
    X(avx512vl, "vpaddd %ymm16, %ymm16, %ymm16") \
    X(avx512ifma, "vpmadd52luq %zmm0, %zmm0, %zmm0") \
    X(avx512vbmi, "vpermb %zmm0, %zmm0, %zmm0") \
    X(avx512_vbmi2, "vpcompressb %zmm0, %zmm0") \
    X(avx512_vnni, "vpdpbusd %zmm0, %zmm0, %zmm0") \
    X(avx512_bitalg, "vpopcntb %zmm0, %zmm0") \
    X(avx512_vpopcntdq, "vpopcntd %zmm0, %zmm0") \
    X(avx512_bf16, "vdpbf16ps %zmm0, %zmm0, %zmm0") \
    X(avx512_fp16, "vaddph %zmm0, %zmm0, %zmm0") \
    X(avx512_vp2intersect, "vp2intersectd %zmm0, %zmm0, %k2") \
    X(avx512er, "vexp2ps %zmm0, %zmm0") \
    X(avx512pf, "kxorw %k1, %k1, %k1; vgatherpf0dps (%rdi,%zmm0){%k1}") \
    X(avx512_4fmaps, "v4fmaddps (%rdi), %zmm0, %zmm4") \
    X(avx512_4vnniw, "vp4dpwssd (%rdi), %zmm0, %zmm4")

#define FUNCTION(name, code) \
    __asm__(".pushsection .text\ntry_" #name ":\npush %rbx\nxor %eax, %eax\nxor %ecx, %ecx\nxor %edx, %edx\n" code \
            "\npop %rbx\nret\n.popsection\n"); \
    extern void try_##name(void *) __asm__("try_" #name);
TRIALS(FUNCTION)

#define ROW(name, code) {#name, try_##name},
static const struct trial { const char *name; void (*run)(void *); } trials[] = {TRIALS(ROW)};

static int runs(void (*run)(void *)) {
    if (sigsetjmp(refused, 1)) return 0;
    run(room);
    return 1;
}

static void print(const char *name, const char *how, int answer) {
    printf("%s %s %s\n", name, how, answer ? "yes" : "no");
}

static void try_andn(void *unused) {
    (void)unused;
    __asm__ volatile("andn %%eax, %%ecx, %%eax" ::: "eax", "ecx", "cc");
}

/* Without BMI1 it is BSF, which leaves its target as it is where the source is 0. */
static int tzcnt_counts(void) {
    uint32_t found = 99;
    __asm__ volatile("tzcnt %1, %0" : "+r"(found) : "r"(0) : "cc");
    return found == 32;
}

/* Without LZCNT it is BSR, which gives the number of the highest bit. */
static int lzcnt_counts(void) {
    uint32_t found = 99;
    __asm__ volatile("lzcnt %1, %0" : "+r"(found) : "r"(1) : "cc");
    return found == 31;
}

/* Without WAITPKG it is MFENCE to some, and that leaves the zero flag alone; TPAUSE clears it (SDM vol. 2B, TPAUSE). */
static int tpause_counts(void) {
    unsigned char zero = 1;
    if (sigsetjmp(refused, 1)) return 0;
    __asm__ volatile("xor %%eax, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; tpause %%ecx; setz %0"
                     : "=r"(zero) :: "eax", "ecx", "edx", "cc");
    return zero == 0;
}

static int cpuid_says(unsigned leaf, int number, int bit) {
    unsigned row[4] = {0, 0, 0, 0};
    __get_cpuid_count(leaf, 0, &row[0], &row[1], &row[2], &row[3]);
    return row[number] >> bit & 1;
}

int main(void) {
    const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction action = {.sa_handler = on_signal};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
    for (unsigned i = 0; i < sizeof trials / sizeof *trials; i++) {
        memset(room, 0, sizeof room);
        print(trials[i].name, "trap", runs(trials[i].run));
    }
    print("bmi1", "result", runs(try_andn) && tzcnt_counts());
    print("abm", "result", lzcnt_counts());
    print("waitpkg", "result", tpause_counts());
    print("lahf_lm", "cpuid", cpuid_says(0x80000001, 2, 0));
    print("prefetchw", "cpuid", cpuid_says(0x80000001, 2, 8));
    print("prefetchwt1", "cpuid", cpuid_says(7, 2, 0));
    print("cldemote", "cpuid", cpuid_says(7, 2, 25));
    print("hle", "cpuid", cpuid_says(7, 1, 4));
    print("rdseed", "cpuid", cpuid_says(7, 1, 18));
    print("fsgsbase", "cpuid", cpuid_says(7, 1, 0));
    print("wbnoinvd", "cpuid", cpuid_says(0x80000008, 1, 9));
    return 0;
}
