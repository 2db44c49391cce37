// SPDX-License-Identifier: MIT
/*
 * A user's program that ends with sets still referenced, or is wrong in a way that a leak checker or
 * memcheck must tell.
 *
 *   alive rcu|hp COUNT         sets of each kind, and a snapshot, are referenced at the end: no leak
 *   alive rcu|hp COUNT lost    nothing refers to them any more: a leak
 *   alive rcu|hp COUNT stale   an object is used after its section, when it was destroyed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lfset/bitmap.h>
#include <lfset/bytes.h>
#include <lfset/obj.h>
#include <lfset/u64.h>

static struct lfset_u64 *volatile numbers;
static struct lfset_bytes *volatile strings;
static struct lfset_obj *volatile objects;
static struct lfset_bitmap *volatile bits;
static struct lfset_bytes_snapshot *volatile shown;

static uint64_t hash(void *ctx, const void *key)
{
    (void)ctx;
    return *(const uint64_t *)key * UINT64_C(0x9e3779b97f4a7c15);
}

static int equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    return *(const uint64_t *)object == *(const uint64_t *)key;
}

static void destroy(void *ctx, void *object)
{
    (void)ctx;
    free(object);
}

static void expect(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "alive: %s\n", what);
        exit(1);
    }
}

static void create(enum lfset_domain domain)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    struct lfset_u64 *u64 = NULL;
    struct lfset_bytes *bytes = NULL;
    struct lfset_obj *obj = NULL;
    struct lfset_bitmap *bitmap = NULL;
    options.domain = domain;
    type.hash = hash;
    type.equal = equal;
    type.destroy = destroy;
    expect(lfset_u64_create(&u64, &options) == 0 && lfset_bytes_create(&bytes, &options) == 0 &&
               lfset_obj_create(&obj, &type, &options) == 0 &&
               lfset_bitmap_create(&bitmap, &options) == 0,
           "create");
    numbers = u64;
    strings = bytes;
    objects = obj;
    bits = bitmap;
}

/* Some are removed again: what is dead is referenced, too. */
static void fill(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t *object = malloc(sizeof *object);
        expect(object != NULL, "no memory");
        *object = i;
        expect(lfset_u64_add(numbers, i * 77) == 1 && lfset_bytes_add(strings, &i, sizeof i) == 1 &&
                   lfset_obj_add(objects, object) == 1 && lfset_bitmap_add(bits, i * 5000) == 1,
               "add");
        if (i % 3 == 0) {
            expect(lfset_u64_remove(numbers, i * 77) == 1 &&
                       lfset_bytes_remove(strings, &i, sizeof i) == 1 &&
                       lfset_obj_remove(objects, &i) == 1 &&
                       lfset_bitmap_remove(bits, i * 5000) == 1,
                   "remove");
        }
    }
    struct lfset_bytes_snapshot *snapshot;
    expect(lfset_bytes_snapshot_take(strings, &snapshot, NULL) == 0, "snapshot");
    shown = snapshot;
    expect(lfset_barrier() == 0, "barrier");
}

static void use_stale(void)
{
    const uint64_t key = 1;
    void *object = NULL;
    expect(lfset_section_enter() == 0 && lfset_obj_get(objects, &key, &object) == 1 &&
               lfset_section_leave() == 0,
           "get");
    expect(lfset_obj_remove(objects, &key) == 1 && lfset_obj_purge(objects) == 1 &&
               lfset_barrier() == 0,
           "remove");
    printf("%d\n", *(uint64_t *)object == 1); // the fault
}

int main(int argc, char **argv)
{
    const char *what = argc == 4 ? argv[3] : "";
    if (argc < 3 || (strcmp(argv[1], "rcu") != 0 && strcmp(argv[1], "hp") != 0)) {
        fprintf(stderr, "usage: alive rcu|hp COUNT [lost|stale]\n");
        return 2;
    }
    create(strcmp(argv[1], "hp") == 0 ? LFSET_HP : LFSET_RCU);
    fill(strtoull(argv[2], NULL, 10));
    if (strcmp(what, "stale") == 0)
        use_stale();
    if (strcmp(what, "lost") == 0) {
        numbers = NULL;
        strings = NULL;
        objects = NULL;
        bits = NULL;
        shown = NULL;
    }
    return 0;
}
