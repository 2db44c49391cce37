# lfset: the library, its tools and its tests. `make help` lists the targets.
#
# Yours to set, on the command line or in the environment; never changed here, always last:
#   CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LDLIBS
#   PREFIX DESTDIR BINDIR LIBDIR LIBEXECDIR INCLUDEDIR MANDIR
#   O=DIR (build there, default build)   SANITIZE=thread|address,undefined   V=1 (show commands)

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

O ?= build
SANITIZE ?=
B := $(O)$(if $(SANITIZE),/$(SANITIZE))

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKG_CONFIG ?= pkg-config

# ---------------------------------------------------------------- version: include/lfset/version.h
version_number = $(shell sed -n 's/^\#define LFSET_VERSION_$(1) *//p' include/lfset/version.h)
MAJOR := $(call version_number,MAJOR)
VERSION := $(MAJOR).$(call version_number,MINOR).$(call version_number,PATCH)

# ---------------------------------------------------------------- packages
pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null)
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null || echo $(2))
pkg_exists = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes)

URCU_CFLAGS := $(call pkg_cflags,liburcu-bp)
URCU_LIBS := $(call pkg_libs,liburcu-bp,-lurcu-bp -lurcu-common)
JANSSON_CFLAGS := $(call pkg_cflags,jansson)
JANSSON_LIBS := $(call pkg_libs,jansson,-ljansson)
CRITERION_CFLAGS := $(call pkg_cflags,criterion)
CRITERION_LIBS := $(call pkg_libs,criterion,-lcriterion)
OBSERVE_PACKAGES := jansson libmicrohttpd libdw libelf
OBSERVE_LIBS = $(call pkg_libs,$(OBSERVE_PACKAGES)) -lm
HAVE_OBSERVE := $(call pkg_exists,$(OBSERVE_PACKAGES))
NCURSES_LIBS = $(call pkg_libs,ncursesw,-lncursesw -ltinfo)
PEER_PACKAGES := absl_flat_hash_set liburcu-qsbr liburcu-cds ck tbb
# libcds and xenium have no .pc files
has_header = $(shell printf '\#if __has_include(<$(1)>)\nyes\n\#endif\n' | $(CXX) -E -P -x c++ - 2>/dev/null)
HAVE_PEERS := $(and $(call pkg_exists,$(PEER_PACKAGES)),$(call has_header,cds/init.h),$(call has_header,xenium/policy.hpp))
PEER_LIBS = $(call pkg_libs,$(PEER_PACKAGES)) -lcds
GO ?= go
have_go := $(shell command -v $(GO) 2>/dev/null)

# libmimalloc.so replaces malloc in whoever links it: the programs may, the library must not. Debian
# has no mimalloc.pc. A sanitizer brings its own malloc.
ifeq ($(SANITIZE)$(findstring -fsanitize,$(CFLAGS) $(LDFLAGS)),)
ifneq ($(findstring /,$(shell $(CC) -print-file-name=libmimalloc.so 2>/dev/null)),)
MIMALLOC_LIBS := -lmimalloc
endif
endif

# ---------------------------------------------------------------- flags (ours; the user's follow)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
# gcc warns that ThreadSanitizer does not see fences; clang does not know the warning.
quiet_tsan := $(shell $(CC) -Werror -Wno-tsan -fsyntax-only -x c /dev/null 2>/dev/null && echo -Wno-tsan)
TSAN := -fsanitize=thread -fno-omit-frame-pointer $(quiet_tsan)
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	$(if $(findstring thread,$(SANITIZE)),$(quiet_tsan)) \
	$(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=undefined))

LF_CPPFLAGS := -Iinclude
LF_CFLAGS := -std=gnu11 -O3 -g -pthread $(WARNINGS) $(SANITIZER)
LF_CXXFLAGS := -std=c++17 -O3 -g -pthread -Wall -Wextra $(SANITIZER)
LF_LDFLAGS := -pthread $(SANITIZER)

# what a folder's files need on top
lib_flags := -Ilib -DCK_USE_CC_BUILTINS=1 -DURCU_INLINE_SMALL_FUNCTIONS $(URCU_CFLAGS) \
	-fvisibility=hidden -fPIC -ftls-model=initial-exec
# liburcu 0.13 puts its readers, declared aligned to 128, behind a header of 32 bytes: its inline
# functions would be reported at each call.
ifneq ($(findstring undefined,$(SANITIZE)),)
lib_flags += -fno-sanitize=alignment
endif
# bpftrace, perf and the like follow frame pointers. The library, which makes none, leaves the program's alone.
# It costs nothing: no function has to save the register either.
lib_flags += $(shell $(CC) -Werror -ffixed-rbp -fsyntax-only -x c /dev/null 2>/dev/null && echo -ffixed-rbp)
observe_flags := -Ilib $(call pkg_cflags,$(OBSERVE_PACKAGES)) -fvisibility=hidden -fPIC
tools_flags := -Istress -Itools $(JANSSON_CFLAGS) $(if $(MIMALLOC_LIBS),-DLFSET_MIMALLOC)
# apart from the others: another PREFIX must not rebuild everything
dirs_flags := -DLFSET_LIBEXECDIR='"$(LIBEXECDIR)/lfset"'
bench_flags := -Itools/bench -march=native -DURCU_INLINE_SMALL_FUNCTIONS \
	$(call pkg_cflags,$(PEER_PACKAGES)) $(tools_flags)
stress_flags := -Ilib -Istress $(JANSSON_CFLAGS) $(if $(MIMALLOC_LIBS),-DLFSET_MIMALLOC)
unit_flags := -Ilib -Istress -Itest -Itest/unit $(CRITERION_CFLAGS) $(JANSSON_CFLAGS) $(URCU_CFLAGS)
hooked_flags := -DLFSET_HOOKS
faults_wrap := malloc calloc realloc aligned_alloc target_lfset_options
# its urcu/urcu-bp.h stands in for the system's
explore_flags := -DLFSET_HOOKS -DLFSET_SCALAR -Istress/explore -Istress -Ilib -DCK_USE_CC_BUILTINS=1 \
	$(JANSSON_CFLAGS)
# Its library calls stress/explore/plain.c before each plain access, and is no ASan build for all that.
explore_plain_flags := -fsanitize=kernel-address -U__SANITIZE_ADDRESS__ \
	-Dmemcmp=plain_memcmp -Dmemcpy=plain_memcpy -Dmemset=plain_memset \
	$(if $(findstring clang,$(shell $(CC) --version)),\
	-Wno-builtin-macro-redefined '-D__has_feature(feature)=0' \
	$(addprefix -mllvm ,-asan-instrumentation-with-call-threshold=0 -asan-stack=0 -asan-globals=0),\
	$(addprefix --param ,asan-instrumentation-with-call-threshold=0 asan-stack=0 asan-globals=0))

# Fuzzers are clang's, whatever CC is. Only counters: no input has a number to guess, and comparing
# what is compared costs half the speed. RCU is for one thread (test/fuzz/grace.c).
FUZZ_CC ?= clang
FUZZ_SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz_flags := -std=gnu11 -O1 -g -fno-omit-frame-pointer -pthread $(WARNINGS) $(FUZZ_SANITIZER) \
	-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp,indirect-calls \
	-Istress/explore -Istress -Ilib -Itest/fuzz -DCK_USE_CC_BUILTINS=1

# ---------------------------------------------------------------- sources
lib_c := $(sort $(filter-out $(if $(wildcard lib/set/bitmap.c),,lib/algebra/bitmap_algebra.c),\
	$(wildcard lib/platform/*.c lib/record/*.c lib/reclaim/*.c lib/wait/*.c lib/set/*.c lib/algebra/*.c lib/watch/*.c)))
observe_c := $(sort $(wildcard lib/observe/*.c))
check_c := $(sort $(wildcard stress/check/*.c))
observe_tools_c := $(sort $(wildcard tools/observe/*.c))
tools_c := $(sort $(wildcard tools/*.c))
stress_c := $(sort $(wildcard stress/*.c))
bench_src := $(sort $(wildcard tools/bench/*.c tools/bench/*.cc))
explore_c := $(sort $(wildcard stress/explore/*.c))
faults_c := $(sort $(wildcard stress/faults/*.c))
soak_c := $(sort $(wildcard stress/soak/*.c))
litmus_c := $(sort $(wildcard stress/litmus/*.c))
fuzz_c := $(sort $(wildcard test/fuzz/*.c))
all_unit_c := $(sort $(wildcard test/unit/test_*.c))
unit_support_c := $(sort $(filter-out $(all_unit_c),$(wildcard test/unit/*.c)))
unit_c := $(filter-out $(if $(HAVE_OBSERVE),,\
	$(shell grep -lE 'lfset/(observation|exporter|profile)\.h|"observe/' $(all_unit_c))),$(all_unit_c))

objects = $(patsubst %,$(B)/$(1)/%.o,$(basename $(2)))
lib_o := $(call objects,obj,$(lib_c))
tsan_o := $(call objects,obj-tsan,$(lib_c))
hooked_o := $(call objects,obj-hooked,$(lib_c))
observe_o := $(call objects,obj,$(observe_c))
observe_tools_o := $(call objects,obj,$(observe_tools_c))
check_o := $(call objects,obj,$(check_c))
tools_o := $(call objects,obj,$(tools_c))
stress_o := $(call objects,obj-hooked,$(stress_c))
faults_o := $(call objects,obj-hooked,$(faults_c))
faults_host_o := $(call objects,obj,stress/faults/host/host.c)
soak_o := $(call objects,obj-hooked,$(soak_c))
# what these programs share with lfset-stress: all but its main
harness_o := $(filter-out %/stress.o,$(stress_o))
# seam.c of the explorer includes these itself
explore_o := $(call objects,obj-explore,$(filter-out lib/reclaim/hp.c lib/wait/wait.c,$(lib_c)) $(explore_c))
bench_o := $(call objects,obj,$(bench_src))
litmus_o := $(call objects,obj,$(litmus_c))
fuzzers := $(addprefix $(B)/fuzz/,operations file history)
fuzz_o := $(call objects,obj-fuzz,$(fuzz_c) $(lib_c) $(check_c))
fuzzer_o := $(fuzzers:$(B)/fuzz/%=$(B)/obj-fuzz/test/fuzz/%.o)
unit_o := $(call objects,obj,$(unit_c))
unit_support_o := $(call objects,obj,$(unit_support_c))
all_o := $(lib_o) $(observe_o) $(observe_tools_o) $(tsan_o) $(hooked_o) $(check_o) $(tools_o) $(stress_o) $(faults_o) $(faults_host_o) $(soak_o) $(explore_o) $(bench_o) \
	$(litmus_o) $(unit_o) $(unit_support_o) $(fuzz_o)

# ---------------------------------------------------------------- products
SO := liblfset.so
TSAN_SO := liblfset_tsan.so
OBSERVE_SO := liblfset-observe.so
observe_libs := $(if $(HAVE_OBSERVE),$(B)/liblfset-observe.a)
libs := $(B)/liblfset.a $(B)/$(SO) $(observe_libs) $(if $(HAVE_OBSERVE),$(B)/$(OBSERVE_SO))
tsan_libs := $(B)/liblfset_tsan.a $(B)/$(TSAN_SO)
litmus := $(patsubst stress/litmus/%.c,$(B)/litmus/%,$(litmus_c))
unit := $(patsubst test/unit/%.c,$(B)/test/unit/%,$(unit_c))
tools := $(if $(tools_c),$(B)/lfset) $(if $(stress_c),$(B)/lfset-stress)
tools += $(if $(HAVE_OBSERVE),$(if $(call pkg_exists,ncursesw),$(B)/lfset-observe))
tools += $(if $(SANITIZE),,$(B)/lfset-lint)
tools += $(if $(SANITIZE),,$(if $(faults_c),$(B)/lfset-faults $(B)/lfset-faults-host))
tools += $(if $(SANITIZE),,$(if $(soak_c),$(B)/lfset-soak))
# The explorer switches stacks by itself, which sanitizers do not follow.
tools += $(if $(SANITIZE),,$(if $(explore_c),$(B)/lfset-explore))
ifneq ($(if $(SANITIZE),,$(bench_src)),)
ifneq ($(and $(HAVE_PEERS),$(MIMALLOC_LIBS)),)
tools += $(B)/lfset-bench $(if $(have_go),$(B)/lfset-bench-go.so)
else
bench_missing := yes
endif
endif
package_files := $(filter-out $(if $(HAVE_OBSERVE),,%-observe.pc),\
	$(patsubst lib/package/%.in,$(B)/package/%,$(wildcard lib/package/*.in)))

# ---------------------------------------------------------------- how commands are shown
Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,printf '  %-7s %s\n' $(1) $(patsubst $(CURDIR)/%,%,$@))
# -j for the recursive builds of check and demo, unless the user chose already
jobs = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
submake = +$(Q)$(MAKE) $(jobs)

# ================================================================ building
.PHONY: all lib tsan-lib tools unit-tests litmus-tests fuzzers FORCE
all: lib $(if $(SANITIZE),,tsan-lib) tools ## the library, its TSan twin and the tools (default)
	$(if $(HAVE_OBSERVE),,@echo 'liblfset-observe and lfset-observe are left out: they need $(OBSERVE_PACKAGES) (tools/packages.sh)')
	$(if $(bench_missing),@echo 'lfset-bench is left out: it needs $(PEER_PACKAGES) libcds xenium and mimalloc (tools/packages.sh)')

lib: $(libs) $(package_files) ## liblfset.a and .so, liblfset-observe.a and .so
tsan-lib: $(tsan_libs) $(package_files) ## liblfset_tsan.a and .so, for programs built with -fsanitize=thread
tools: $(tools) ## lfset, lfset-observe, lfset-stress, lfset-explore, lfset-faults, lfset-soak, lfset-bench
unit-tests: $(unit) ## the unit tests (needs Criterion)
litmus-tests: $(litmus) ## the litmus programs
fuzzers: $(fuzzers) ## the fuzzers (needs clang and its libFuzzer)

# Everything is rebuilt when a command changes: the file changes only when its text does.
quote = '$(subst ','\'',$(1))'
flags_text := $(CC) | $(CXX) | $(LF_CPPFLAGS) | $(CPPFLAGS) | $(LF_CFLAGS) | $(CFLAGS) \
	| $(LF_CXXFLAGS) | $(CXXFLAGS) | $(LF_LDFLAGS) | $(LDFLAGS) | $(LDLIBS) | $(lib_flags) | $(observe_flags) \
	| $(stress_flags) | $(bench_flags) | $(unit_flags) | $(hooked_flags) | $(explore_flags) | $(explore_plain_flags) | $(TSAN) | $(MIMALLOC_LIBS) \
	| $(FUZZ_CC) $(fuzz_flags)
dirs_text := $(VERSION) $(B) $(PREFIX) $(BINDIR) $(LIBDIR) $(LIBEXECDIR) $(INCLUDEDIR) $(MANDIR)
define stamp
@mkdir -p $(@D)
@printf '%s\n' $(call quote,$(1)) | cmp -s - $@ || printf '%s\n' $(call quote,$(1)) >$@
endef
$(B)/flags: FORCE
	$(call stamp,$(flags_text))
$(B)/dirs: FORCE
	$(call stamp,$(dirs_text))
FORCE:

# What a compiler says is kept beside the object, too: test/compilers.sh looks whether any had a warning.
keep_said = 2>$@.said && { [ ! -s $@.said ] || cat $@.said >&2; } || { cat $@.said >&2; false; }
compile_c = $(Q)mkdir -p $(@D) && $(CC) $(LF_CPPFLAGS) $(LF_CFLAGS) $(folder_flags) $(1) $(CPPFLAGS) \
	$(CFLAGS) -MMD -MP -c -o $@ $< $(keep_said)
compile_cxx = $(Q)mkdir -p $(@D) && $(CXX) $(LF_CPPFLAGS) $(LF_CXXFLAGS) $(folder_flags) $(CPPFLAGS) \
	$(CXXFLAGS) -MMD -MP -c -o $@ $< $(keep_said)
link = $(Q)mkdir -p $(@D) && $(1) $(LF_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(2) $(LDLIBS)
link_c = $(call link,$(CC) $(CFLAGS),$(1))
link_cxx = $(call link,$(CXX) $(CXXFLAGS),$(1))
archive = $(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(B)/obj/lib/%.o $(B)/obj-tsan/lib/%.o $(B)/obj-hooked/lib/%.o: private folder_flags = $(lib_flags)
$(B)/obj/lib/observe/%.o: private folder_flags = $(observe_flags)
$(B)/obj/tools/%.o: private folder_flags = $(tools_flags) $(dirs_flags)
$(tools_o): $(B)/dirs
$(B)/obj/tools/bench/%.o: private folder_flags = $(bench_flags)
$(B)/obj/stress/%.o $(B)/obj-hooked/stress/%.o: private folder_flags = $(stress_flags)
$(B)/obj-explore/%.o: private folder_flags = $(explore_flags)
$(B)/obj-explore/lib/%.o $(B)/obj-explore/stress/explore/seam.o: private folder_flags = \
	$(explore_flags) $(explore_plain_flags)
$(B)/obj/test/unit/%.o: private folder_flags = $(unit_flags)

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC)
	$(call compile_c)
$(B)/obj/%.o: %.cc $(B)/flags
	$(call say,CXX)
	$(call compile_cxx)
$(B)/obj-hooked/%.o: %.c $(B)/flags
	$(call say,CC)
	$(call compile_c,$(hooked_flags))
$(B)/obj-explore/%.o: %.c $(B)/flags
	$(call say,CC)
	$(call compile_c)
$(B)/obj-tsan/%.o: %.c $(B)/flags
	$(call say,CC)
	$(call compile_c,$(TSAN))
$(B)/obj-fuzz/%.o: %.c $(B)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(LF_CPPFLAGS) $(fuzz_flags) -MMD -MP -c -o $@ $<
-include $(all_o:.o=.d)

$(B)/liblfset.a: $(lib_o)
	$(call say,AR)
	$(archive)
$(B)/liblfset_tsan.a: $(tsan_o)
	$(call say,AR)
	$(archive)
$(B)/liblfset-observe.a: $(observe_o)
	$(call say,AR)
	$(archive)
$(B)/libcheck.a: $(check_o)
	$(call say,AR)
	$(archive)

# A shared library must name all it needs, except that a sanitizer's functions come with the program.
no_undefined := $(if $(findstring -fsanitize,$(SANITIZER) $(CFLAGS) $(LDFLAGS)),,-Wl,-z,defs)
so_flags = -shared -Wl,-soname,$(notdir $(basename $(basename $@))) -Wl,--version-script=lib/lfset.map
# Unloading is refused: a thread that used the library runs its destructor of thread-specific data when it
# ends, and liburcu's call_rcu thread never does, however long ago the program called dlclose.
no_delete := -Wl,-z,nodelete
as_needed := -Wl,--as-needed
define link_so
$(Q)grep -q '^LFSET_$(MAJOR) {' lib/lfset.map || { \
	echo 'lib/lfset.map: no node LFSET_$(MAJOR), the major version of include/lfset/version.h' >&2; exit 1; }
$(call link_c,$(so_flags) $(1))
endef
$(B)/$(SO).$(VERSION): $(lib_o) lib/lfset.map Makefile
	$(call say,LD)
	$(call link_so,$(no_delete) $(no_undefined) $(URCU_LIBS))
$(B)/$(TSAN_SO).$(VERSION): $(tsan_o) lib/lfset.map Makefile
	$(call say,LD)
	$(call link_so,$(no_delete) $(TSAN) $(URCU_LIBS))
$(B)/$(OBSERVE_SO).$(VERSION): $(observe_o) lib/lfset.map Makefile
	$(call say,LD)
	$(call link_so,$(no_undefined) $(as_needed) $(OBSERVE_LIBS))
$(B)/$(SO) $(B)/$(TSAN_SO) $(B)/$(OBSERVE_SO): %: %.$(VERSION)
	$(Q)ln -sf $(<F) $@.$(MAJOR) && ln -sf $(@F).$(MAJOR) $@

$(B)/lfset: $(tools_o) $(B)/libcheck.a $(B)/liblfset.a
	$(call say,LD)
	$(call link_c,$(JANSSON_LIBS) $(URCU_LIBS) -lm $(MIMALLOC_LIBS))
$(B)/lfset-observe: $(observe_tools_o) $(B)/liblfset-observe.a $(B)/liblfset.a
	$(call say,LD)
	$(call link_c,$(OBSERVE_LIBS) $(NCURSES_LIBS) $(URCU_LIBS))
$(B)/lfset-stress: $(stress_o) $(hooked_o) $(B)/libcheck.a
	$(call say,LD)
	$(call link_c,$(JANSSON_LIBS) $(URCU_LIBS) -lm $(MIMALLOC_LIBS))
# for valgrind, which would not see mimalloc's blocks
$(B)/memcheck/lfset-stress: $(stress_o) $(hooked_o) $(B)/libcheck.a
	$(call say,LD)
	$(call link_c,$(JANSSON_LIBS) $(URCU_LIBS) -lm)
# malloc is glibc's here, whose locks a forked child finds free; memory.c stands before it.
$(B)/lfset-faults: $(faults_o) $(harness_o) $(hooked_o) $(B)/libcheck.a
	$(call say,LD)
	$(call link_c,$(faults_wrap:%=-Wl,--wrap=%) $(JANSSON_LIBS) $(URCU_LIBS) -lm)
$(B)/lfset-faults-host: $(faults_host_o)
	$(call say,LD)
	$(call link_c)
$(B)/lfset-soak: $(soak_o) $(harness_o) $(hooked_o) $(B)/libcheck.a
	$(call say,LD)
	$(call link_c,$(JANSSON_LIBS) $(URCU_LIBS) -lm)
$(B)/lfset-explore: $(explore_o) $(B)/libcheck.a
	$(call say,LD)
	$(call link_c,$(JANSSON_LIBS) -lm)
$(B)/lfset-lint: tools/lint/lfset-lint.py $(wildcard tools/lint/*.cocci tools/lint/*.h)
	$(call say,GEN)
	$(Q)mkdir -p $(B)/lint && install -m 644 $(filter-out %.py,$^) $(B)/lint && install -m 755 $< $@
$(B)/lfset-bench: $(bench_o) $(B)/liblfset.a
	$(call say,LD)
	$(call link_cxx,$(PEER_LIBS) $(JANSSON_LIBS) $(URCU_LIBS) -lm $(MIMALLOC_LIBS))
$(B)/lfset-bench-go.so: tools/bench/peer_go.go tools/bench/peer_go.h
	$(call say,GO)
	$(Q)mkdir -p $(@D) && GOCACHE=$(abspath $(B))/go-cache GO111MODULE=off GOFLAGS= CC='$(CC)' \
		CGO_CFLAGS='-O2 -I$(CURDIR)/tools/bench' $(GO) build -buildmode=c-shared -o $@ $< && \
		rm -f $(@:.so=.h)
$(litmus): $(B)/litmus/%: $(B)/obj/stress/litmus/%.o $(B)/liblfset.a
	$(call say,LD)
	$(call link_c,$(URCU_LIBS))
$(unit): $(B)/test/unit/%: $(B)/obj/test/unit/%.o $(unit_support_o) $(B)/libcheck.a $(observe_libs) $(B)/liblfset.a
	$(call say,LD)
	$(call link_c,$(CRITERION_LIBS) $(if $(HAVE_OBSERVE),$(OBSERVE_LIBS)) $(JANSSON_LIBS) $(URCU_LIBS) -lm)

$(B)/fuzz/libfuzz.a: $(filter-out $(fuzzer_o),$(fuzz_o))
	$(call say,AR)
	$(Q)mkdir -p $(@D)
	$(archive)
$(fuzzers): $(B)/fuzz/%: $(B)/obj-fuzz/test/fuzz/%.o $(B)/fuzz/libfuzz.a
	$(call say,LD)
	$(Q)$(FUZZ_CC) -pthread $(FUZZ_SANITIZER) -fsanitize=fuzzer -o $@ $^

# ---------------------------------------------------------------- other people's sets, for lfset stress --target
# An adapter is built where the header that it needs is there, which is looked at only when adapters
# are asked for.
needs_absl_mutex := absl/container/flat_hash_set.h
needs_cds_michael_hp := cds/init.h
needs_cds_split_rcu := cds/init.h
needs_ck_hs_mutex := ck_hs.h
needs_tbb_hash_map := oneapi/tbb/concurrent_hash_map.h
needs_urcu_lfht := urcu/rculfhash.h
needs_xenium_michael_hp := xenium/harris_michael_hash_map.hpp
needs_xenium_vyukov := xenium/vyukov_hash_map.hpp
libs_absl_mutex = $(call pkg_libs,absl_flat_hash_set)
libs_cds_michael_hp := -lcds
libs_cds_split_rcu := -lcds
libs_ck_hs_mutex := -lck
libs_tbb_hash_map := -ltbb
libs_urcu_lfht := -lurcu-cds -lurcu-memb -lurcu-common
ADAPTER_SECONDS ?= 20
ifneq ($(filter adapters%,$(MAKECMDGOALS)),)
have_header = $(shell printf '\043if __has_include(<%s>)\nyes\n\043endif\n' $(1) | \
	$(CXX) $(LF_CPPFLAGS) $(CPPFLAGS) -E -P -x c++ - 2>/dev/null | grep yes)
adapters_known := $(sort broken $(basename $(notdir $(wildcard stress/adapters/*.c stress/adapters/*.cc))))
adapters_there := $(foreach a,$(adapters_known),$(if $(call have_header,$(or $(needs_$(a)),lfset/target.h)),$(a)))
adapters_missing := $(filter-out $(adapters_there),$(adapters_known))
endif
adapters_so := $(adapters_there:%=$(B)/adapters/%.so)
# -O1: templates take long to compile
adapter_flags = -O1 -shared -fPIC -fvisibility=hidden $(no_undefined)
adapter_files = -MMD -MP -MF $(@:.so=.d) -MT $@ -o $@ $< $(libs_$*) $(LDFLAGS) $(LDLIBS)
adapter_c = $(Q)mkdir -p $(@D) && $(CC) $(LF_CPPFLAGS) $(LF_CFLAGS) $(adapter_flags) $(1) $(CPPFLAGS) \
	$(CFLAGS) $(adapter_files)
.PHONY: adapters adapters-stress
adapters: $(adapters_so) ## other people's sets as build/adapters/*.so, for lfset stress --target
	$(if $(adapters_missing),@echo 'left out for lack of their packages (tools/packages.sh): $(adapters_missing)')
adapters-stress: $(adapters_so) tools ## stresses each of them and prints a table (ADAPTER_SECONDS each)
	$(Q)$(PYTHON) stress/adapters/table.py --build $(B) --seconds $(ADAPTER_SECONDS)
$(B)/adapters/broken.so: stress/adapters/sharded.c $(B)/flags
	$(call say,SO)
	$(call adapter_c,-DFLAW=FLAW_ADD)
$(B)/adapters/%.so: stress/adapters/%.c $(B)/flags
	$(call say,SO)
	$(call adapter_c)
$(B)/adapters/%.so: stress/adapters/%.cc $(B)/flags
	$(call say,SO)
	$(Q)mkdir -p $(@D) && $(CXX) $(LF_CPPFLAGS) $(LF_CXXFLAGS) -std=c++20 $(adapter_flags) $(CPPFLAGS) \
		$(CXXFLAGS) $(adapter_files)
-include $(adapters_so:.so=.d)

# ================================================================ manual pages
# Section 3 from the comments of the headers; the others are in man/ as they are.
PYTHON ?= python3
have_python := $(shell command -v $(PYTHON) 2>/dev/null)
.PHONY: man man-left-out clean-man
man: $(B)/man/made ## the pages of section 3, from the headers (`man -M build/man lfset_u64_add`)
all uninstall: $(if $(have_python),man,man-left-out)
man-left-out:
	@echo 'the manual pages of section 3 are left out: they need python3 (tools/packages.sh)'
$(B)/man/made: man/generate.py man/lfset.7 $(sort $(wildcard include/lfset/*.h))
	$(call say,MAN)
	$(Q)$(PYTHON) man/generate.py --version $(VERSION) --dated-like man/lfset.7 --output $(@D)/man3 \
		$(filter %.h,$^) && touch $@
clean: clean-man
clean-man:
	$(Q)rm -rf $(B)/man

# ================================================================ installing
# The CMake package finds its files from where it lies, so that an installed tree can be moved.
cmake_dir := $(LIBDIR)/cmake/lfset
from_cmake = $(shell realpath -m --relative-to=$(cmake_dir) $(1))
$(B)/package/%: lib/package/%.in $(B)/dirs
	$(call say,GEN)
	$(Q)mkdir -p $(@D) && sed -e 's|@BUILD@|$(B)|g' -e 's|@VERSION@|$(VERSION)|g' \
		-e 's|@MAJOR@|$(MAJOR)|g' -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@BINDIR@|$(BINDIR)|g' \
		-e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@MANDIR@|$(MANDIR)|g' \
		-e 's|@REL_LIBDIR@|$(call from_cmake,$(LIBDIR))|g' \
		-e 's|@REL_INCLUDEDIR@|$(call from_cmake,$(INCLUDEDIR))|g' $< >$@

.PHONY: install uninstall
install: all ## what lib/package/manifest.in lists, below PREFIX (DESTDIR is put before)
	$(Q)DESTDIR='$(DESTDIR)' sh lib/package/install.sh install $(B)/package/manifest
uninstall: $(B)/package/manifest ## removes what install put there
	$(Q)DESTDIR='$(DESTDIR)' sh lib/package/install.sh uninstall $(B)/package/manifest

# ================================================================ using and testing
STRESS_SECONDS ?= 60
TSAN_SECONDS ?= 30
.PHONY: bench-full demo check tsan stress explore fuzz memcheck bench cross packages
packages: ## installs the missing Debian packages (as root), or says which
	$(Q)sh tools/packages.sh

# Both begin with the packages and then start make anew, which looks for them again.
demo: ## uniq on ten million lines, the headline benchmark, the stress with its verdict; a minute
	$(Q)sh tools/packages.sh
	$(submake) all
	$(Q)BUILD=$(B) sh tools/demo.sh

check: ## every test
	$(Q)sh tools/packages.sh
	$(submake) all unit-tests litmus-tests adapters
	$(submake) SANITIZE=thread tools litmus-tests
	$(submake) SANITIZE=address,undefined tools unit-tests litmus-tests
	+$(Q)MAKE='$(MAKE)' BUILD=$(B) CC='$(CC)' sh test/run.sh

tsan: ## the stress under ThreadSanitizer, both domains (TSAN_SECONDS)
	$(submake) SANITIZE=thread tools
	$(Q)BUILD=$(O)/thread sh test/stress.sh $(TSAN_SECONDS)

stress: ## a longer stress of every set and domain (STRESS_SECONDS each)
	$(submake) tools
	$(Q)BUILD=$(B) sh test/stress.sh $(STRESS_SECONDS)

EXPLORE_SECONDS ?= 10
EXPLORE_SCENARIOS ?= keys overfull chain gate clear pop many count rehash threads purge each wait mix enomem stop
explore: ## schedules of every scenario and domain (EXPLORE_SECONDS each)
	$(submake) tools
	$(Q)for scenario in $(EXPLORE_SCENARIOS); do for domain in rcu hp; do \
		echo "$$scenario on $$domain"; \
		$(B)/lfset-explore --scenario $$scenario --domain $$domain \
			--seconds $(EXPLORE_SECONDS) --quiet || exit; \
	done; done

FUZZ_SECONDS ?= 60
fuzz: ## operations, the file loader and histories under libFuzzer (FUZZ_SECONDS each)
	$(submake) fuzzers
	$(Q)BUILD=$(B) sh test/fuzz/run.sh $(FUZZ_SECONDS)

memcheck: ## a stress of every set and domain under valgrind (MEMCHECK_OPERATIONS each)
	+$(Q)MAKE='$(MAKE)' BUILD=$(B) sh test/memcheck.sh $(MEMCHECK_OPERATIONS)

.PHONY: mutants mutants-check
mutants: ## deliberate defects of the library, each to be found by some tool (MUTANTS_FLAGS)
	$(Q)$(PYTHON) stress/mutants/run.py --directory $(B)/mutants --json $(B)/mutants/table.json \
		--html $(B)/mutants/table.html $(MUTANTS_FLAGS)

mutants-check: ## whether all of them fit the tree, and three of them are found
	$(Q)BUILD=$(B) sh test/mutants.sh

EXPLORE_RUNS ?= 10000000
explore_long_flags = --runs $(EXPLORE_RUNS) --keep-going --table --json $(B)/explore.json
.PHONY: explore-long
explore-long: ## many schedules of everything, and a table of them (EXPLORE_RUNS)
	$(submake) tools
	$(Q)$(B)/lfset-explore $(explore_long_flags)

.PHONY: faults soak
faults: ## threads that stop or end, memory that lacks, forks, unloading: every case (FAULTS_FLAGS)
	$(submake) lib tools
	$(Q)$(B)/lfset-faults $(FAULTS_FLAGS)

SOAK_SECONDS ?= 3600
soak: ## hours of everything on 2^20 keys a set, with curves of memory (SOAK_SECONDS, SOAK_FLAGS)
	$(Q)sh tools/packages.sh gnuplot-nox
	$(submake) tools
	$(Q)$(B)/lfset-soak --seconds $(SOAK_SECONDS) $(SOAK_FLAGS)

cross: ## builds for aarch64 and runs it under qemu-user: unit tests, litmus, stress, explorer
	$(Q)sh tools/packages.sh gcc-aarch64-linux-gnu qemu-user
	$(Q)sh test/cross/sysroot.sh $(B)/cross
	+$(Q)MAKE='$(MAKE)' BUILD='$(abspath $(B))/cross' CC='$(CC)' sh test/run.sh test/cross/tests.sh

BENCH_FLAGS ?= --rounds 3 --keys 1e4,1e6 --scenario read,batch16,mostly-read,zipf,mixed,churn,hot1,hot16,window,grow
bench: ## the headline cells beside all peers, in minutes (BENCH_FLAGS); a page and JSON in the build
	$(submake) tools
	$(Q)$(B)/lfset bench $(BENCH_FLAGS) --html $(B)/bench.html --json $(B)/bench.json

bench-full: ## every scenario, size and number of threads, and what grows how; hours
	$(submake) tools
	$(Q)$(B)/lfset bench --threads 1,2,4,8 --html $(B)/bench-full.html --json $(B)/bench-full.json
	$(Q)$(B)/lfset bench --costs --keys 1e3,1e4,1e5,1e6,1e7,1e8 --html $(B)/costs.html --json $(B)/costs.json
	$(Q)$(B)/lfset bench --wake --json $(B)/wake.json

# ================================================================ housekeeping
CLANG_FORMAT ?= clang-format
formatted = $(shell find include lib stress test tools -name '*.[ch]' -o -name '*.cc' -o -name '*.hh')
.PHONY: format format-check clean distclean help
format: ## lays out the C and C++ files by .clang-format
	$(Q)$(CLANG_FORMAT) -i $(formatted)
format-check: ## fails when make format would change a file
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(formatted)

clean: ## removes objects, libraries and programs of this build
	$(Q)rm -rf $(addprefix $(B)/,adapters obj obj-tsan obj-hooked obj-explore obj-fuzz fuzz memcheck package litmus mutants test lfset lfset-observe lfset-stress \
		lint lfset-lint lfset-explore lfset-faults lfset-faults-host lfset-soak lfset-bench lfset-bench-go.so go-cache libcheck.a liblfset*)
distclean: ## removes the build directory with all that is in it
	$(Q)if [ -f $(B)/flags ]; then rm -rf $(B); fi

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | sort | \
		while IFS='|' read -r target text; do printf '  %-14s %s\n' "$$target" "$$text"; done
