#!/bin/sh
# The page of a witness (lfset check --html) in headless Chromium: it needs nothing from outside, logs
# no error, every bar is in the window and none overlaps another, and the operation that cannot be
# placed is to be seen, in light and in dark. Prints TAP.
set -u
. "$(dirname "$0")/tap.sh"
lfset=$BUILD/lfset
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
tests=$(dirname "$0")
pages='small whole strings touching crowd cut'

chromium=
for name in chromium chromium-browser google-chrome; do
    command -v $name >/dev/null && chromium=$name && break
done

browse()
{
    HOME=$work timeout -k 5 60 $chromium --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --disable-dev-shm-usage --disable-background-networking --no-first-run --user-data-dir="$work/profile" \
        --enable-logging=stderr "$@"
}

# makes the page of one history; a violation is what lfset check must find
page()
{
    "$lfset" check --html "$work/$1.html" "$work/$1.txt" >"$work/$1.log" 2>&1
    [ $? -eq 1 ] && [ -s "$work/$1.html" ] || { cat "$work/$1.log"; return 1; }
}

# shows the copy that measures itself in a window of the given width
measured()
{
    python3 "$tests/timeline.py" probe "$work/$1.html" "$work/probe.html" &&
        browse --window-size="$2,900" --dump-dom "file://$work/probe.html" \
            >"$work/dom" 2>"$work/errors" || { cat "$work/errors"; return 1; }
    ! grep 'CONSOLE' "$work/errors" && python3 "$tests/timeline.py" dom "$work/dom"
}

# shot PAGE SCHEME(0 dark, 1 light) [dark]
shot()
{
    browse --window-size=1280,900 --blink-settings=preferredColorScheme="$2" \
        --screenshot="$work/shot.png" "file://$work/$1.html" >"$work/errors" 2>&1 ||
        { cat "$work/errors"; return 1; }
    ! grep 'CONSOLE' "$work/errors" && python3 "$tests/timeline.py" pixels "$work/shot.png" ${3-}
}

python3 "$tests/timeline-histories.py" "$work" || exit
for name in $pages; do
    check "$name: the page is written" page "$name"
    check "$name: it is small and refers to nothing outside" python3 "$tests/timeline.py" source "$work/$name.html"
done
check "cut: it says what is left out" grep -q 'are left out below' "$work/cut.html"
check "strings: markup in keys is only text" grep -q '&lt;script&gt;' "$work/strings.html"

if [ -z "$chromium" ]; then
    skip "in a browser" "chromium is not installed (tools/packages.sh)"
    finish
fi
for name in $pages; do
    check "$name: bars are in the window, apart, and one is marked" measured "$name" 1280
done
check "touching: in a narrow window as well" measured touching 700
check "small: the marked bar is to be seen" shot small 1
check "small: in dark as well" shot small 0 dark
check "crowd: the marked bar is to be seen" shot crowd 1
finish
