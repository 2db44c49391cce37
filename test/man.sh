#!/bin/sh
# The manual: every public function has a page that says what the headers say, as the compiler reads
# them (not as man/generate.py does); all pages are clean, and apropos finds them.
set -u
. test/tap.sh
CC=${CC-cc}
pages=$BUILD/man/man3
work=$BUILD/test/man
rm -rf "$work"
mkdir -p "$work/text"

for tool in python3 mandoc lexgrog; do
    if ! command -v $tool >/dev/null; then
        skip 'manual pages' "$tool is not installed (tools/packages.sh)"
        finish
    fi
done

# ---------------------------------------------------------------- what there is
# a declaration a line, blanks only where C needs them
squeeze()
{
    tr -s '\n\t ' ' ' | tr ';' '\n' | sed 's/ *\([(),*]\) */\1/g; s/^ *//; s/ *$//'
}
# preprocess FLAG: all headers
preprocess()
{
    ls include/lfset | sed 's,.*,#include <lfset/&>,' | "$CC" -E "$1" -Iinclude -
}
preprocess -P | squeeze | sed -n 's/.*__attribute__((visibility("default"))) *//p' | sort -u >"$work/prototypes"
sed 's/(.*//; s/.*[ *]//' "$work/prototypes" | sort -u >"$work/functions"
preprocess -dM | sed -n 's/^#define \(lfset_[a-z0-9_]*\)(.*/\1/p' | sort -u >"$work/macros"

written=$(ls man/*.[1-8])
# mandoc warns of links as such
generated=$(grep -L '^\.so ' "$pages"/*.3)
links=$(grep -l '^\.so ' "$pages"/*.3)
# as people see them, without the strokes that make letters bold or underlined
for page in "$pages"/*.3; do
    (cd "$BUILD/man" && mandoc -T ascii "man3/$(basename "$page")") | sed 's/.\x08//g' \
        >"$work/text/$(basename "$page" .3)"
done

# section NAME FUNCTION: of its page, on one line
section()
{
    sed -n "/^$1\$/,/^[A-Z]/p" "$work/text/$2" | sed '1d; /^[A-Z]/d' | tr -s '\n ' ' '
}
# each COMMAND: for the name of every function; tells which ones fail
each()
{
    bad=
    while read -r name; do
        "$@" "$name" >/dev/null 2>&1 || bad="$bad $name"
    done <"$work/functions"
    [ -z "$bad" ] || { echo "not so:$bad"; return 1; }
}

# ---------------------------------------------------------------- functions
lacks_none_of()
{
    missing=$(sort -u >"$work/there" && sort "$work/functions" "$work/macros" | comm -23 - "$work/there")
    [ -z "$missing" ] || { echo "not there:" $missing; return 1; }
}
everything_has_a_page()
{
    ls "$pages" | sed 's/\.3$//' | lacks_none_of
}
# what apropos keeps of pages
lexgrog -m $generated $written >"$work/names" 2>&1
everything_is_in_a_name_line()
{
    sed -n 's/.*: "\(lfset_[^ ]*\) - .*[a-z].*"$/\1/p' "$work/names" | lacks_none_of
}
shows_include()
{
    header=$(grep -lE "^LFSET_API .*[ *]$1\(" include/lfset/*.h)
    section SYNOPSIS "$1" | grep -F "#include <lfset/$(basename "$header")>"
}
shows_prototype()
{
    section SYNOPSIS "$1" | squeeze | sed 's/^#include[^>]*> *//' >"$work/shown"
    grep -xF -e "$(grep -E "[ *]$1\(" "$work/prototypes")" "$work/shown"
}
tells_result()
{
    grep -q "^void $1(" "$work/prototypes" || [ -n "$(section 'RETURN VALUE' "$1")" ]
}
check 'the headers declare functions' grep -x lfset_u64_add "$work/functions"
check 'every function and macro has a page' everything_has_a_page
check 'its NAME line names it' everything_is_in_a_name_line
check 'a function: what to include' each shows_include
check 'a function: the prototype of the header' each shows_prototype
check 'a function: the result, if there is one' each tells_result

# ---------------------------------------------------------------- pages
groff_warns_of_nothing()
{
    has_not "$(groff -t -man -ww -T ascii $generated $written 2>&1 >/dev/null)" .
}
links_lead_to_pages()
{
    for link in $links; do
        grep -q '^\.TH ' "$BUILD/man/$(sed -n 's/^\.so //p' "$link")" || { echo "$link leads nowhere"; return 1; }
    done
}
apropos_finds_all()
{
    has_not "$(cat "$work/names")" '[^"]$' && has_not "$(sed 's/.*: "[^ ]* - \(.*\)"$/\1/' "$work/names")" '.\{81\}'
}
references_resolve()
{
    bad=
    for name in $(sed 's/\\f[BIPR]//g; s/\\-/-/g; s/^\.BR \([^ ]*\) (/\1(/' $generated $written |
        grep -o 'lfset[a-z0-9_-]*([1-8])' | sort -u); do
        file=${name%(*}.$(echo "$name" | tr -dc '()0-9' | sed 's/.*(//; s/)//')
        [ -e "$pages/$file" ] || [ -e "man/$file" ] || bad="$bad $name"
    done
    [ -z "$bad" ] || { echo "there is no$bad"; return 1; }
}
version=$(sed -n 's/^#define LFSET_VERSION_M[A-Z]* *//p; s/^#define LFSET_VERSION_P[A-Z]* *//p' \
    include/lfset/version.h | paste -sd.)
all_installed()
{
    sh lib/package/install.sh list "$BUILD/package/manifest" | sed -n 's,.*/man[1-8]/,,p' | sort >"$work/listed"
    printf '%s\n' $generated $links $written | sed 's,.*/,,' | sort | diff - "$work/listed"
}
check 'links lead to pages' links_lead_to_pages
check 'mandoc warns of nothing' mandoc -T lint -W warning $generated $written
check 'groff warns of nothing' groff_warns_of_nothing
check 'NAME lines are what apropos reads, and short' apropos_finds_all
check 'what pages refer to is there' references_resolve
check 'pages have the version' has_not "$(grep -H '^\.TH ' $generated $written | grep -vF "\"lfset $version\"")" .
check 'all pages are installed' all_installed

# ---------------------------------------------------------------- what the generator refuses
# generate TEXT: pages from a header that begins well and goes on with the text, from its line 5
generate()
{
    printf '/**\n * @file bad.h\n * lfset_bad: nothing.\n */\n%b\n' "$1" >"$work/bad.h"
    python3 man/generate.py --version 1.2.3 --dated-like man/lfset.7 --output "$work/bad" "$work/bad.h"
}
# refused LINE REASON TEXT
refused()
{
    why=$(generate "$3" 2>&1) && { echo 'it was accepted'; return 1; }
    has "$why" "^generate.py: .*/bad.h:$1: .*$2"
}
function='LFSET_API int lfset_bad_do(int how);'
check 'a sound header is accepted' generate "/** Does it. @return 0. -EINVAL: bad. */\n$function"
check 'refused: no comment' refused 5 'has no comment' "$function"
check 'refused: no first sentence' refused 5 'does not begin' "/** @return 0. */\n$function"
check 'refused: a long first sentence' refused 5 'longer than 80' \
    "/** This sentence goes on and on and on, until it is too long for a line in a list of pages. @return 0. */\n$function"
check 'refused: a parameter that is not there' refused 5 'no parameter what' \
    "/** Does. @param what to do. @return 0. */\n$function"
check 'refused: no result' refused 5 'no @return' "/** Does. */\n$function"
check 'refused: an error without a reason' refused 5 '-EPERM without a reason' "/** Does. @return 0. -EPERM. */\n$function"
check 'refused: a name that is not there' refused 5 'no such name' "/** Does. @return 0.\n@see lfset_other */\n$function"
finish
