/* What this CPU executes: one instruction of each feature is tried, and whether it traps is printed.
 *
 * A line is "FEATURE HOW ANSWER", as in x86_64.c; features have Linux's HWCAP names. Instructions are those that the
 * Arm Architecture Reference Manual (DDI 0487) puts under the FEAT_ name that elf_hwcaps.rst gives for each.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sigjmp_buf refused;
static unsigned char room[8192] __attribute__((aligned(64)));

static void on_signal(int number) { siglongjmp(refused, number); }

/* Each trial has 64-byte aligned memory in X0, and X1, X2 and X3 are 0. */
#define TRIALS(X) \
    X(fp, "fadd d0, d0, d0") \
    X(asimd, "add v0.4s, v0.4s, v0.4s") \
    X(aes, "aese v0.16b, v0.16b") \
    X(pmull, "pmull v0.1q, v0.1d, v0.1d") \
    X(sha1, "sha1h s0, s0") \
    X(sha2, "sha256su0 v0.4s, v0.4s") \
    X(crc32, "crc32b w1, w1, w2") \
    X(atomics, "ldadd w1, w2, [x0]") \
    X(fphp, "fadd h0, h0, h0") \
    X(asimdhp, "fadd v0.8h, v0.8h, v0.8h") \
    X(cpuid, "mrs x1, midr_el1") \
    X(asimdrdm, "sqrdmlah v0.4s, v0.4s, v0.4s") \
    X(jscvt, "fjcvtzs w1, d0") \
    X(fcma, "fcadd v0.4s, v0.4s, v0.4s, #90") \
    X(lrcpc, "ldapr w1, [x0]") \
    X(dcpop, "dc cvap, x0") \
    X(sha3, "eor3 v0.16b, v0.16b, v0.16b, v0.16b") \
    X(sm3, "sm3partw1 v0.4s, v0.4s, v0.4s") \
    X(sm4, "sm4e v0.4s, v0.4s") \
    X(asimddp, "udot v0.4s, v0.16b, v0.16b") \
    X(sha512, "sha512su0 v0.2d, v0.2d") \
    X(sve, "rdvl x1, #1") \
    X(asimdfhm, "fmlal v0.4s, v0.4h, v0.4h") \
    X(dit, "mrs x1, dit") \
    X(ilrcpc, "ldapur w1, [x0]") \
    X(flagm, "rmif x1, #0, #0") \
    X(ssbs, "mrs x1, ssbs") \
    X(sb, "sb") \
    X(paca, "pacia x1, x2") \
    X(pacg, "pacga x1, x2, x3") \
    X(dcpodp, "dc cvadp, x0") \
    X(sve2, "adclb z0.s, z0.s, z0.s") \
    X(sveaes, "aese z0.b, z0.b, z0.b") \
    X(svepmull, "pmullb z0.q, z0.d, z0.d") \
    X(svebitperm, "bdep z0.s, z0.s, z0.s") \
    X(svesha3, "rax1 z0.d, z0.d, z0.d") \
    X(svesm4, "sm4e z0.s, z0.s, z0.s") \
    X(flagm2, "axflag") \
    X(frint, "frint32z d0, d0") \
    X(svei8mm, "smmla z0.s, z0.b, z0.b") \
    X(svef32mm, "fmmla z0.s, z0.s, z0.s") \
    X(svef64mm, "fmmla z0.d, z0.d, z0.d") \
    X(svebf16, "bfdot z0.s, z0.h, z0.h") \
    X(i8mm, "smmla v0.4s, v0.16b, v0.16b") \
    X(bf16, "bfdot v0.4s, v0.8h, v0.8h") \
    X(rng, "mrs x1, rndr") \
    X(mte, "irg x1, x2") \
    X(ecv, "mrs x1, s3_3_c14_c0_6") /* CNTVCTSS_EL0 */ \
    X(sme, ".inst 0x04bf5821") /* RDSVL X1, #1 */

#define FUNCTION(name, code) \
    __asm__(".pushsection .text\n.arch armv8.6-a+crypto+sha3+sm4+sve+sve2+sve2-aes+sve2-bitperm+sve2-sha3+sve2-sm4" \
            "+f32mm+f64mm+memtag+rng+profile+ssbs+sb+flagm\ntry_" #name ":\n" \
            "mov x1, xzr\nmov x2, xzr\nmov x3, xzr\n" code "\nret\n.popsection\n"); \
    extern void try_##name(void *) __asm__("try_" #name);
TRIALS(FUNCTION)

#define ROW(name, code) {#name, try_##name},
static const struct trial { const char *name; void (*run)(void *); } trials[] = {TRIALS(ROW)};

static int runs(void (*run)(void *)) {
    if (sigsetjmp(refused, 1)) return 0;
    run(room);
    return 1;
}

int main(void) {
    const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction action = {.sa_handler = on_signal};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
    for (unsigned i = 0; i < sizeof trials / sizeof *trials; i++) {
        memset(room, 0, sizeof room);
        printf("%s trap %s\n", trials[i].name, runs(trials[i].run) ? "yes" : "no");
    }
    return 0;
}
