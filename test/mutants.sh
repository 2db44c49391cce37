#!/bin/sh
# stress/mutants: every entry fits the tree, the runner finds a few mutants, and says so when it finds one
# not.
set -u
cd "$(dirname "$0")/.." || exit
. test/tap.sh
work=$BUILD/test/mutants
mkdir -p "$work"

if ! python3 -c 'import tomllib' 2>/dev/null; then
    skip mutants 'python3 is missing, or older than 3.11'
    finish
fi

mutants()
{
    python3 stress/mutants/run.py --directory "$work" --tools explore --runs 20000 "$@"
}

# entry OLD NEW: a table of one entry
entry()
{
    printf "[[mutant]]\nnumber = 1\nname = 'probe'\nbreaks = 'nothing'\nfile = 'lib/set/u64_fast.h'\n"
    printf "old = '%s'\nnew = '%s'\nsets = ['u64']\ndomains = ['rcu']\n" "$1" "$2"
}

check 'every mutant fits the tree' python3 stress/mutants/run.py --check
check 'mutants are caught' exits 0 mutants --only 6,60,73 --json "$work/caught.json" --html \
    "$work/caught.html"
check 'the results say by what' grep -q '"caught": true' "$work/caught.json"
check 'the page names them' grep -q 'early free in RCU' "$work/caught.html"

# what can only be seen by who looks is left alone, and must be told from what is caught
entry '#define LFSET__U64_FAST_H' '#define LFSET__U64_FAST_H 1' >"$work/harmless.toml"
check 'a harmless change is not caught' exits 1 mutants --table "$work/harmless.toml" --json \
    "$work/harmless.json"
check 'the results say so' grep -q '"caught": false' "$work/harmless.json"
entry 'no such text' '' >"$work/absent.toml"
check 'an entry whose text is gone is refused' exits 2 mutants --table "$work/absent.toml"
entry 'return 0;' 'return 1;' >"$work/twice.toml"
check 'so is one whose text is there twice' exits 2 mutants --table "$work/twice.toml"
entry '#define LFSET__U64_FAST_H' '#error' >"$work/broken.toml"
check 'so is one that does not compile' exits 2 mutants --table "$work/broken.toml"
check 'an unknown number is refused' exits 2 mutants --only 9999
check 'an unknown tool is refused' exits 2 mutants --tools none
check 'a table that is not there is refused' exits 2 mutants --table "$work/none.toml"
finish
