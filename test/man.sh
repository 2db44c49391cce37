#!/bin/sh
# The manual: every public function has a page that says what the headers say, as the compiler reads
# them (not as man/generate.py does); all pages are clean, and apropos finds them.
set -u
. test/tap.sh
work=$BUILD/test/man
rm -rf "$work"
mkdir -p "$work"
pages=$BUILD/man/man3

if ! command -v python3 >/dev/null; then
    skip 'manual pages' 'python3 is not installed'
    finish
fi

# The declarations of a header that are exported, one a line, blanks only where C needs them.
prototypes()
{
    printf '#include <lfset/%s>\n' "$1" | "$CC" -E -P -Iinclude - | tr -s '\n\t ' ' ' | tr ';' '\n' |
        sed -n 's/.*__attribute__ *((visibility("default"))) *//p' | squeeze
}
squeeze()
{
    sed 's/ *\([(),*]\) */\1/g; s/^ *//; s/ *$//'
}
# Pages as people see them, without bold and underlined letters.
rendered()
{
    (cd "$BUILD/man" && mandoc -T ascii "man3/$1.3") | sed 's/.\x08//g'
}
# section NAME: of a rendered page, as one line
section()
{
    sed -n "/^$1\$/,/^[A-Z]/p" | sed '1d;/^[A-Z]/d' | tr -s '\n ' ' '
}
name_of()
{
    printf '%s\n' "$1" | sed 's/.*[ *]\(lfset_[a-z0-9_]*\)(.*/\1/;t;s/(.*//'
}

has_pages()
{
    for name in $names; do
        [ -s "$pages/$name.3" ] || { echo "no page $name.3"; return 1; }
    done
}
# The target of a link is a page, and not a link itself.
links_lead_to_pages()
{
    for name in $(grep -l '^\.so ' "$pages"/*.3); do
        target=$BUILD/man/$(sed -n 's/^\.so //p' "$name")
        grep -q '^\.TH ' "$target" || { echo "$name leads to $target"; return 1; }
    done
}
pages_name_their_functions()
{
    for name in $names; do
        rendered "$name" | section NAME | grep -E "(^|[ ,])$name(,| -) .*[a-z]" >/dev/null ||
            { echo "$name.3: not in its NAME"; return 1; }
    done
}
pages_show_prototypes()
{
    while read -r prototype; do
        name=$(name_of "$prototype")
        rendered "$name" | section SYNOPSIS | tr ';' '\n' | squeeze | sed 's/.*> *//' |
            grep -xF -e "$prototype" >/dev/null || { echo "$name.3: does not show: $prototype"; return 1; }
    done <"$work/prototypes"
}
pages_include()
{
    for name in $names; do
        rendered "$name" | section SYNOPSIS | grep -F "#include <lfset/$1>" >/dev/null ||
            { echo "$name.3: does not include $1"; return 1; }
    done
}
# Functions that return something say what, and parameters that are described exist.
pages_tell_results()
{
    while read -r prototype; do
        case $prototype in
        void\ *) continue ;;
        esac
        name=$(name_of "$prototype")
        [ -n "$(rendered "$name" | section 'RETURN VALUE')" ] || { echo "$name.3: no RETURN VALUE"; return 1; }
    done <"$work/prototypes"
}

check 'there are pages' test -s "$pages/lfset_u64_add.3"
check 'links lead to pages' links_lead_to_pages
handwritten=$(ls man/*.[1-8])
# the real ones: mandoc has a warning for links as such
real=$(grep -L '^\.so ' "$pages"/*.3)
if command -v mandoc >/dev/null; then
    for header in include/lfset/*.h; do
        header=$(basename "$header")
        prototypes "$header" >"$work/all"
        # what it includes is another header's
        printf '#include "%s"\n' $(sed -n 's/^#include "\(.*\)"/lfset\/\1/p' "include/lfset/$header") |
            sed 's/#include "\(.*\)"/\1/;s,^lfset/,,' >"$work/included"
        for included in $(cat "$work/included"); do
            prototypes "$included"
        done | sort -u >"$work/others"
        grep -vxF -f "$work/others" "$work/all" >"$work/prototypes"
        [ -s "$work/prototypes" ] || continue
        names=$(while read -r prototype; do name_of "$prototype"; done <"$work/prototypes")
        check "$header: every function has a page" has_pages
        check "$header: names" pages_name_their_functions
        check "$header: prototypes" pages_show_prototypes
        check "$header: what to include" pages_include "$header"
        check "$header: return values" pages_tell_results
    done
    check 'mandoc has nothing to warn of' mandoc -T lint -W warning $real $handwritten
else
    skip 'what pages say' 'mandoc is not installed'
fi

# apropos works from what lexgrog reads.
apropos_finds()
{
    lexgrog -m "$@" >"$work/names" || { cat "$work/names"; return 1; }
    long=$(sed 's/.*: "\(.*\)"$/\1/' "$work/names" | awk '{ sub(/^[^ ]* - /, "") } length > 80')
    [ -z "$long" ] || { echo "too long for a list: $long"; return 1; }
}
if command -v lexgrog >/dev/null; then
    check 'apropos finds every page' apropos_finds $real $handwritten
else
    skip 'apropos finds every page' 'man-db is not installed'
fi

refer_to_pages()
{
    for name in $(sed 's/\\f[BIPR]//g; s/\\-/-/g; s/^\.BR \([^ ]*\) (/\1(/' $real $handwritten |
        grep -o 'lfset[a-z0-9_-]*([1-8])' | sort -u); do
        section=${name#*(}
        file=${name%(*}.${section%)}
        [ -e "$pages/$file" ] || [ -e "man/$file" ] || { echo "nothing is $name"; return 1; }
    done
}
check 'pages refer to pages' refer_to_pages
version=$(sed -n 's/^#define LFSET_VERSION_M[A-Z]* *//p;s/^#define LFSET_VERSION_P[A-Z]* *//p' \
    include/lfset/version.h | paste -sd.)
check 'pages have the version' has_not "$(grep -H '^\.TH ' $real $handwritten | grep -vF "\"lfset $version\"")" .
installed=$(sh lib/package/install.sh list "$BUILD/package/manifest" | sed -n 's,.*/man/man[0-9]/,,p' | sort)
check 'all pages are installed' test "$installed" = \
    "$(ls $(ls -d "$pages"/*.3 $handwritten) | xargs -n 1 basename | sort)"

# What the generator refuses, it names.
# refuses NAME PLACE HEADER-TEXT
refuses()
{
    printf '/**\n * @file bad.h\n * lfset_bad: nothing.\n */\n%b\n' "$3" >"$work/bad.h"
    check "refused: $1" eval '! python3 man/generate.py --version 1.2.3 --dated-like man/lfset.7 \
        --output "$work/bad" "$work/bad.h" >"$work/why" 2>&1 && grep -F "bad.h:$2: " "$work/why"' "$2"
}
tail='LFSET_API int lfset_bad_do(int how);'
refuses_at()
{
    printf '/**\n * @file bad.h\n * lfset_bad: nothing.\n */\n%b\n' "$2" >"$work/bad.h"
    ! python3 man/generate.py --version 1.2.3 --dated-like man/lfset.7 --output "$work/bad" \
        "$work/bad.h" >"$work/why" 2>&1 && grep -F "$work/bad.h:$1: " "$work/why"
}
check 'a sound header is taken' eval "! refuses_at 5 '/** Does. @see lfset_bad_do\n * @return 0. */\n$tail'"
finish
