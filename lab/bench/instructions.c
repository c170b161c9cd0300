/* A plugin of QEMU's emulator: counts the instructions that a guest executes, in the kernel and in programs.
 *
 *   -plugin instructions.so,counts=PATH
 *
 * The counters are in the file PATH, which it makes and maps, so they can be read while the guest runs: for
 * each virtual CPU two 64-bit numbers, those of the kernel first. A block of instructions counts whole when it
 * is entered. Debian has no header of the interface, https://www.qemu.org/docs/master/devel/tcg-plugins.html.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since QEMU 9.0 version 2 is the oldest that is accepted; what is used here is the same in both. */
#ifndef INTERFACE
#define INTERFACE 1
#endif

#define EXPORTED __attribute__((visibility("default")))
#define SIZE 4096
#define MOST_CPUS (SIZE / (2 * sizeof(uint64_t)))
/* Linux has the upper half of the addresses. */
#define IN_KERNEL(address) ((address) >> 63)

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum registers { NO_REGISTERS };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned int, void *), enum registers, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

EXPORTED int qemu_plugin_version = INTERFACE;

static uint64_t *counters;

static void executed_by_kernel(unsigned int cpu, void *count)
{
    counters[2 * (cpu % MOST_CPUS)] += (uintptr_t)count;
}

static void executed_by_program(unsigned int cpu, void *count)
{
    counters[2 * (cpu % MOST_CPUS) + 1] += (uintptr_t)count;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
    void *count = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(
        block,
        IN_KERNEL(qemu_plugin_tb_vaddr(block)) ? executed_by_kernel : executed_by_program,
        NO_REGISTERS,
        count);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *emulator, int argc, char **argv)
{
    static const char option[] = "counts=";
    int file;

    if (argc != 1 || strncmp(argv[0], option, sizeof option - 1) != 0)
        return -1;
    file = open(argv[0] + sizeof option - 1, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, SIZE) != 0)
        return -1;
    counters = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (counters == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
