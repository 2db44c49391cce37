#!/bin/sh
# Usage: install.sh install|uninstall|list MANIFEST
# Does for every line of the manifest what its kind says (see manifest.in); `list` prints the paths
# that install would create. DESTDIR is put before every destination.
set -eu

action=$1
manifest=$2
root=${DESTDIR-}

fail()
{
    echo "install.sh: $*" >&2
    exit 1
}

# put MODE FILE DIRECTORY
put()
{
    path=$root$3/$(basename "$2")
    case $action in
    install) install -D -m "$1" "$2" "$path" ;;
    uninstall) rm -f "$path" ;;
    list) echo "$path" ;;
    esac
}

# put_link TARGET NAME
put_link()
{
    case $action in
    install) mkdir -p "$root$(dirname "$2")" && ln -sfn "$1" "$root$2" ;;
    uninstall) rm -f "$root$2" ;;
    list) echo "$root$2" ;;
    esac
}

case $action in
install | uninstall | list) ;;
*) fail "no such action: $action" ;;
esac

while read -r kind source destination; do
    case $kind in
    *'?')
        # An earlier build may have installed it: uninstall removes it whether it is built now or not.
        if [ "$action" != uninstall ] && [ ! -e "$source" ]; then
            continue
        fi
        kind=${kind%'?'}
        ;;
    esac
    case $kind in
    '' | '#'*) ;;
    program) put 755 "$source" "$destination" ;;
    file)
        for file in $source; do
            case $file in
            *'*'*) ;; # the pattern matched nothing
            *) put 644 "$file" "$destination" ;;
            esac
        done
        ;;
    link) put_link "$(basename "$source")" "$destination" ;;
    own)
        if [ "$action" = uninstall ] && [ -d "$root$source" ]; then
            rmdir --ignore-fail-on-non-empty "$root$source"
        fi
        ;;
    *) fail "$manifest: unknown kind: $kind" ;;
    esac
done <"$manifest"
