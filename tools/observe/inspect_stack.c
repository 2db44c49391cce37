// SPDX-License-Identifier: MIT
// Where a thread of another process is now, by elfutils, which stops it by ptrace while it unwinds.
#define _GNU_SOURCE
#include "inspect.h"

#include <elfutils/libdwfl.h>
#include <string.h>

enum { FRAMES_MOST = 32 };

struct unwinding {
    Dwfl *dwfl;
    FILE *out;
    int indent, frames;
};

static int put_frame(Dwfl_Frame *state, void *context)
{
    struct unwinding *unwinding = context;
    Dwarf_Addr address;
    bool activation;
    if (!dwfl_frame_pc(state, &address, &activation))
        return DWARF_CB_ABORT;
    Dwarf_Addr call = address - (activation ? 0 : 1); // a return address may be the next function's
    Dwfl_Module *module = dwfl_addrmodule(unwinding->dwfl, call);
    const char *name = module ? dwfl_module_addrname(module, call) : NULL;
    Dwfl_Line *line = module ? dwfl_module_getsrc(module, call) : NULL;
    fprintf(unwinding->out, "%*s", unwinding->indent, "");
    if (name)
        fputs(name, unwinding->out);
    else
        fprintf(unwinding->out, "0x%llx", (unsigned long long)address);
    int number = 0;
    const char *file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
    if (file)
        fprintf(unwinding->out, " %s:%d", strrchr(file, '/') ? strrchr(file, '/') + 1 : file,
                number);
    fputc('\n', unwinding->out);
    return ++unwinding->frames < FRAMES_MOST ? DWARF_CB_OK : DWARF_CB_ABORT;
}

void inspect_thread_stack(pid_t pid, int tid, int indent, FILE *out)
{
    static char *debuginfo_path; // the default
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debuginfo_path,
    };
    Dwfl *dwfl = dwfl_begin(&callbacks);
    struct unwinding unwinding = {.dwfl = dwfl, .out = out, .indent = indent};
    if (!dwfl || dwfl_linux_proc_report(dwfl, pid) != 0 || dwfl_report_end(dwfl, NULL, NULL) != 0 ||
        dwfl_linux_proc_attach(dwfl, pid, false) != 0)
        fprintf(out, "%*s(not known: %s)\n", indent, "", dwfl_errmsg(-1));
    else if (dwfl_getthread_frames(dwfl, tid, put_frame, &unwinding) != 0 && unwinding.frames == 0)
        fprintf(out, "%*s(not known: %s)\n", indent, "", dwfl_errmsg(-1));
    if (dwfl)
        dwfl_end(dwfl);
}
