#!/bin/sh
# Compiles and runs the examples of README.md. An example is a fenced block that opens with
# "```c run"; the next block that opens with "```text" is what it must print.
set -u
. test/tap.sh
readme=${1-README.md}
work=$BUILD/test/readme
rm -rf "$work"
mkdir -p "$work"

# writes LINE.c and LINE.txt for the example that begins at LINE
awk -v work="$work" '
    /^```/ && file { close(file); file = ""; next }
    /^```c run$/ { line = NR; file = work "/" line ".c"; printf "" >file; next }
    /^```text$/ && line { file = work "/" line ".txt"; line = ""; printf "" >file; next }
    file { print >file }
' "$readme"

# run LINE
run()
{
    "$CC" -std=c11 -pthread -Wall -Wextra -Wpedantic -Werror -Iinclude -o "$work/$1" "$work/$1.c" \
        "$BUILD/liblfset.a" $(pkg-config --libs liburcu-bp) &&
        "$work/$1" >"$work/$1.out" && diff "$work/$1.txt" "$work/$1.out"
}

check "$readme has an example" test -n "$(ls "$work")"
for example in "$work"/*.c; do
    [ -e "$example" ] || continue
    line=$(basename "$example" .c)
    check "the example of $readme:$line prints what it says" run "$line"
done
finish
