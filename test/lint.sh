#!/bin/sh
# lfset lint: every finding where the sources say so, none elsewhere; the changes that it suggests compile and
# satisfy it; comments, unreadable and half-read files, wrong options.
set -u
. test/tap.sh
CC=${CC-cc}
work=$BUILD/test/lint
rm -rf "$work"
mkdir -p "$work/test/lint"

if ! command -v spatch >/dev/null; then
    skip 'lfset lint' 'coccinelle is not installed (tools/packages.sh)'
    finish
fi

lint()
{
    timeout 60 "$BUILD/lfset" lint "$@"
}
# LINE: CHECK for each finding of a JSON result
places()
{
    python3 -c 'import json, sys
for f in json.load(sys.stdin)["findings"]: print("%d: %s" % (f["line"], f["check"]))' | sort
}
wanted()
{
    awk '/\/\/ want / { sub(".*// want ", ""); for (i = 1; i <= NF; i++) print NR ": " $i }' "$1" | sort
}
finds_what_the_source_wants()
{
    lint --json test/lint/bad.c >"$work/bad.json"
    [ $? -eq 1 ] && wanted test/lint/bad.c >"$work/wanted" && [ -s "$work/wanted" ] &&
        places <"$work/bad.json" | diff "$work/wanted" -
}
compiles()
{
    "$CC" -std=gnu11 -Wall -Wextra -Iinclude -fsyntax-only "$@"
}
check 'the sources compile' compiles test/lint/good.c test/lint/bad.c
check 'bad sources: each finding at its line' finds_what_the_source_wants
check 'good sources: none' exits 0 lint test/lint/good.c
told=$(lint --checks unowned,snapshot test/lint/bad.c)
check 'a line for people: place, check, what, why' has "$told" '^test/lint/bad.c:[0-9]*:9: unowned: .*request.*: nobody'
check 'and a suggestion' has "$told" '^ *suggestion: lfset_u64_destroy(request)'
check 'only the checks that are asked for' has_not "$told" unbounded

# ---------------------------------------------------------------- changes
fixed=$work/test/lint/bad.c
cp test/lint/bad.c "$fixed"
patches()
{
    lint --diff test/lint/bad.c >"$work/diff"
    [ $? -eq 1 ] && (cd "$work" && patch -p1 <diff)
}
# no return loses anything; only options that are no variable of the function still lack a name or a limit
satisfied()
{
    lint "$fixed" >"$work/left"
    has_not "$(cat "$work/left")" ': returns with' && [ "$(grep -c -e ' unbounded: ' -e ' unnamed: ' "$work/left")" -eq 6 ]
}
check 'its changes are a patch' patches
check 'they compile' compiles "$fixed"
check 'and satisfy it' satisfied

# ---------------------------------------------------------------- what it refuses
printf 'int f(void)\n{\n    lfset_section_enter(;\n    return 0;\n}\n' >"$work/half.c"
check 'a function that cannot be read is told' tells 2 'half.c:1: 1 function' lint "$work/half.c"
printf 'MY_TEST(one, two)\n{\n    if (lfset_section_enter() == 0)\n        sleep(1);\n}\n' >"$work/macro.c"
printf '#define MY_TEST(one, two) void one(void)\n' >"$work/macro.h"
check 'a macro that is not known' tells 2 'macro.c:1: 1 function' lint "$work/macro.c"
check 'and one that is' tells 1 'macro.c:4:9: blocking: sleep' lint --macros "$work/macro.h" "$work/macro.c"
check 'no such file' tells 2 'nowhere.c: No such file' lint test/lint/good.c nowhere.c
check 'no file' tells 2 'required: FILE' lint
check 'a wrong check' tells 2 "no check 'colour'" lint --checks colour test/lint/good.c
check 'a wrong option' tells 2 'unrecognized' lint --colour test/lint/good.c
check '--help' tells 0 'open-section' lint --help
finish
