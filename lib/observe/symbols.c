// SPDX-License-Identifier: MIT
/**
 * @file symbols.c
 * Names of addresses, by elfutils: from the files that the observed process had loaded, at the addresses
 * where it had loaded them. The process itself is not looked at, so it may be gone.
 */
#define _GNU_SOURCE
#include "observe/symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INLINED_MAX = 32 };

/* What was found of one address. */
struct place {
    uint64_t address;
    int count;
    struct lfset_frame frames[];
};

struct lfset_symbols {
    const struct lfset_observation *observation;
    Dwfl *dwfl;
    void *places; /* a tree of them (tsearch) */
};

static char *default_path; /* of debug files: elfutils knows where a distribution puts them */
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &default_path,
};

/* ---- modules ------------------------------------------------------------------------------------- */

const struct lfset_module_seen *lfset__module_find(const struct lfset_observation *observation,
                                                   uint64_t address)
{
    // A file that was unloaded stays in the table: the last that was there comes last.
    for (size_t i = observation->module_count; i > 0; i--) {
        const struct lfset_module_seen *module = &observation->modules[i - 1];
        if (address >= module->begin && address < module->end) {
            return module;
        }
    }
    return NULL;
}

/* Whether the process's program is this file; it is then found where the process has it, also when
 * the file has been replaced or removed. */
static bool is_program(const struct lfset_observation *observation, const char *path)
{
    char link[64], program[PATH_MAX];
    static const char deleted[] = " (deleted)";
    snprintf(link, sizeof link, "/proc/%d/exe", observation->pid);
    ssize_t length = readlink(link, program, sizeof program - 1);
    if (length < 0) {
        return false;
    }
    program[length] = 0;
    size_t tail = sizeof deleted - 1;
    if ((size_t)length > tail && strcmp(program + (size_t)length - tail, deleted) == 0) {
        program[(size_t)length - tail] = 0;
    }
    return !*path || strcmp(path, program) == 0;
}

/* Where to read a module's file: as the process sees it, which may be another root directory than ours; else
 * by its path. */
static void file_of(const struct lfset_observation *observation, const char *path, char *file)
{
    if (observation->alive) {
        if (is_program(observation, path)) {
            snprintf(file, PATH_MAX, "/proc/%d/exe", observation->pid);
            return;
        }
        snprintf(file, PATH_MAX, "/proc/%d/root%s", observation->pid, path);
        if (access(file, R_OK) == 0) {
            return;
        }
    }
    snprintf(file, PATH_MAX, "%s", path);
}

/* A file that cannot be read, or lies where another one was loaded since, is left out. */
static void report_modules(struct lfset_symbols *symbols)
{
    const struct lfset_observation *observation = symbols->observation;
    dwfl_report_begin(symbols->dwfl);
    for (size_t i = observation->module_count; i > 0; i--) {
        const struct lfset_module_seen *module = &observation->modules[i - 1];
        char file[PATH_MAX];
        file_of(observation, module->path, file);
        struct stat status;
        if (stat(file, &status) == 0 && S_ISREG(status.st_mode)) {
            (void)dwfl_report_elf(symbols->dwfl, module->path, file, -1, module->base, true);
        }
    }
    dwfl_report_end(symbols->dwfl, NULL, NULL);
}

static Dwfl_Module *dwfl_module(struct lfset_symbols *symbols,
                                const struct lfset_module_seen *module)
{
    return dwfl_addrmodule(symbols->dwfl, module->begin);
}

unsigned lfset__symbols_build_id(struct lfset_symbols *symbols,
                                 const struct lfset_module_seen *module, const unsigned char **bits)
{
    GElf_Addr bias, address;
    Dwfl_Module *of = dwfl_module(symbols, module);
    if (!of || !dwfl_module_getelf(of, &bias)) {
        return 0;
    }
    int length = dwfl_module_build_id(of, bits, &address);
    return length > 0 ? (unsigned)length : 0;
}

unsigned lfset__symbols_code(struct lfset_symbols *symbols, const struct lfset_module_seen *module,
                             struct lfset__code *code, unsigned room)
{
    GElf_Addr bias;
    size_t headers;
    unsigned count = 0;
    Dwfl_Module *of = dwfl_module(symbols, module);
    Elf *elf = of ? dwfl_module_getelf(of, &bias) : NULL;
    if (!elf || elf_getphdrnum(elf, &headers) != 0) {
        return 0;
    }
    for (size_t i = 0; i < headers; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD ||
            !(header.p_flags & PF_X)) {
            continue;
        }
        if (count < room) {
            uint64_t begin = module->base + header.p_vaddr;
            code[count] = (struct lfset__code){begin, begin + header.p_memsz, header.p_offset};
        }
        count++;
    }
    return count;
}

/* ---- names --------------------------------------------------------------------------------------- */

/* The compilation unit that an address (of the file) is in. Not all compilers write the index of addresses
 * that libdw would find it by. */
static Dwarf_Die *unit_find(Dwfl_Module *module, uint64_t pc, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, pc, bias);
    if (!unit) {
        do {
            unit = dwfl_module_nextcu(module, unit, bias);
        } while (unit && dwarf_haspc(unit, pc - *bias) != 1);
    }
    return unit;
}

static const char *die_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
    return name ? name : dwarf_diename(die);
}

static unsigned die_number(Dwarf_Die *die, unsigned what)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    return dwarf_formudata(dwarf_attr(die, what, &attribute), &value) == 0 ? (unsigned)value : 0;
}

static const char *file_name(Dwarf_Die *unit, unsigned file)
{
    Dwarf_Files *files;
    size_t count;
    return dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count
               ? dwarf_filesrc(files, file, NULL, NULL)
               : NULL;
}

/* Fills frames with the calls that the address is in, by the debug information. @return how many. */
static int find_calls(Dwfl_Module *module, uint64_t pc, struct lfset_frame *frames, int room)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = unit_find(module, pc, &bias);
    if (!unit) {
        return 0;
    }
    int count = 0, line = 0;
    const char *file = NULL;
    Dwarf_Line *source = dwarf_getsrc_die(unit, pc - bias);
    if (source) {
        file = dwarf_linesrc(source, NULL, NULL);
        (void)dwarf_lineno(source, &line);
    }
    Dwarf_Die *scopes = NULL, *around = NULL;
    int depth = dwarf_getscopes(unit, pc - bias, &scopes);
    depth = depth > 0 ? dwarf_getscopes_die(&scopes[0], &around) : 0;
    for (int i = 0; i < depth && count < room; i++) {
        int tag = dwarf_tag(&around[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) {
            continue;
        }
        bool inlined = tag == DW_TAG_inlined_subroutine;
        frames[count++] = (struct lfset_frame){
            .function = die_name(&around[i]),
            .file = file,
            .line = (unsigned)line,
            .inlined = inlined,
        };
        if (!inlined) {
            break;
        }
        file = file_name(unit, die_number(&around[i], DW_AT_call_file));
        line = (int)die_number(&around[i], DW_AT_call_line);
    }
    free(scopes);
    free(around);
    return count;
}

/* Whether a function is lfset's, also as C++ spells it (generic.h). */
static bool is_ours(const char *function)
{
    if (function && strncmp(function, "_Z", 2) == 0) {
        function += 2 + strspn(function + 2, "0123456789");
    }
    return function && strncmp(function, "lfset_", 6) == 0;
}

static struct place *place_make(struct lfset_symbols *symbols, uint64_t address)
{
    struct lfset_frame frames[INLINED_MAX] = {{0}};
    // A return address may be the next function's: the call is what comes before.
    uint64_t pc = address - 1;
    Dwfl_Module *module = dwfl_addrmodule(symbols->dwfl, pc);
    int count = module ? find_calls(module, pc, frames, INLINED_MAX) : 0;
    count = count ? count : 1;
    struct lfset_frame *outer = &frames[count - 1];
    if (!outer->function && module) {
        GElf_Sym symbol;
        GElf_Off offset;
        outer->function = dwfl_module_addrinfo(module, pc, &offset, &symbol, NULL, NULL, NULL);
    }
    int first = 0; // not lfset's functions that are inlined into their caller
    while (first < count - 1 && is_ours(frames[first].function)) {
        first++;
    }
    const struct lfset_module_seen *seen = lfset__module_find(symbols->observation, pc);
    struct place *place = malloc(sizeof *place + (size_t)(count - first) * sizeof *frames);
    if (!place) {
        return NULL;
    }
    place->address = address;
    place->count = count - first;
    for (int i = 0; i < place->count; i++) {
        place->frames[i] = frames[first + i];
        place->frames[i].module = seen ? seen->path : "";
        place->frames[i].offset = seen ? address - seen->base : address;
    }
    return place;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

int lfset_symbols_find(struct lfset_symbols *symbols, uint64_t address,
                       const struct lfset_frame **frames)
{
    if (!symbols || !frames) {
        return -EINVAL;
    }
    struct place wanted = {.address = address};
    struct place **found = tfind(&wanted, &symbols->places, compare_places);
    struct place *place = found ? *found : place_make(symbols, address);
    if (!place) {
        return -ENOMEM;
    }
    if (!found && !tsearch(place, &symbols->places, compare_places)) {
        free(place);
        return -ENOMEM;
    }
    *frames = place->frames;
    return place->count;
}

/* Whether a call is in the library: by its file, by the function's name, or by the source, which is what
 * tells static functions in a program that has the library within itself. */
static bool is_inside(const struct lfset_frame *call)
{
    static const char *const sources[] = {"lib/set/", "lib/algebra/", "lib/record/", "lib/watch/"};
    const char *slash = strrchr(call->module, '/');
    const char *module = slash ? slash + 1 : call->module;
    if (is_ours(call->function) || strncmp(module, "liblfset.", 9) == 0 ||
        strncmp(module, "liblfset_tsan.", 14) == 0) {
        return true;
    }
    for (size_t i = 0; call->file && i < sizeof sources / sizeof *sources; i++) {
        const char *found = strstr(call->file, sources[i]);
        if (found && (found == call->file || found[-1] == '/')) {
            return true;
        }
    }
    return false;
}

unsigned lfset__symbols_inside(struct lfset_symbols *symbols, const uint64_t *frames,
                               unsigned depth)
{
    // Without debug information, static functions of the library may come before a public one.
    enum { UNKNOWN_MOST = 3 };
    unsigned inside = 0;
    for (unsigned i = 0; i < depth; i++) {
        const struct lfset_frame *calls;
        int count = lfset_symbols_find(symbols, frames[i], &calls);
        if (count > 0 && is_inside(&calls[count - 1])) {
            inside = i + 1;
        } else if (inside > 0 || i == UNKNOWN_MOST) {
            break;
        }
    }
    return inside < depth ? inside : 0;
}

/* ---- opening ------------------------------------------------------------------------------------- */

int lfset_symbols_open(struct lfset_symbols **symbols, const struct lfset_observation *observation)
{
    if (!symbols || !observation) {
        return -EINVAL;
    }
    *symbols = NULL;
    struct lfset_symbols *made = calloc(1, sizeof *made);
    if (!made) {
        return -ENOMEM;
    }
    made->observation = observation;
    made->dwfl = dwfl_begin(&callbacks);
    if (!made->dwfl) {
        free(made);
        return -ENOMEM;
    }
    report_modules(made);
    *symbols = made;
    return 0;
}

void lfset_symbols_close(struct lfset_symbols *symbols)
{
    if (!symbols) {
        return;
    }
    tdestroy(symbols->places, free);
    dwfl_end(symbols->dwfl);
    free(symbols);
}
