// SPDX-License-Identifier: MIT
// Who created what: call stacks from main down to the sets, as wide as the bytes of the sets below.
#define _GNU_SOURCE
#include "report.h"

#include "show.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1200, ROW = 30, LETTER = 7, DEPTH_MOST = 12 };

struct node {
    char *name;                       // function; NULL: a set
    const struct lfset_set_seen *set; // of a leaf
    double bytes, width;              // below it; what it is drawn as
    size_t sets;
    struct node *child, *next;
};

static void node_free(struct node *node)
{
    while (node) {
        struct node *next = node->next;
        node_free(node->child);
        free(node->name);
        free(node);
        node = next;
    }
}

static struct node *node_add(struct node *parent, const char *name)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    if (name && !(node->name = strdup(name))) {
        free(node);
        return NULL;
    }
    struct node **end = &parent->child;
    while (*end)
        end = &(*end)->next;
    return *end = node;
}

static struct node *node_find(struct node *parent, const char *name)
{
    for (struct node *node = parent->child; node; node = node->next)
        if (node->name && strcmp(node->name, name) == 0)
            return node;
    return node_add(parent, name);
}

// A set hangs below the functions that led to its creation; main first. `smallest` keeps the tiny ones visible.
static int tree_add(const struct report *report, struct node *root,
                    const struct lfset_set_seen *set, double smallest)
{
    const uint64_t *addresses;
    unsigned depth = lfset_observation_stack(report->now, set->created_stack, &addresses);
    depth -= frames_outer(report->frames, addresses, depth);
    unsigned inner = frames_inner(report->frames, addresses, depth);
    double width = (double)set->bytes + smallest;
    struct node *node = root;
    if (depth == 0)
        node = node_find(root, "unknown");
    for (unsigned i = depth; node && i-- > inner;)
        node = node_find(node, frame_function(report->frames, addresses[i]));
    struct node *leaf = node ? node_add(node, NULL) : NULL;
    if (!leaf)
        return -1;
    leaf->set = set;
    leaf->bytes = (double)set->bytes;
    leaf->width = width;
    leaf->sets = 1;
    return 0;
}

static void node_sum(struct node *node)
{
    for (struct node *child = node->child; child; child = child->next) {
        node_sum(child);
        node->bytes += child->bytes;
        node->width += child->width;
        node->sets += child->sets;
    }
}

// Functions that only lead to one other share its row.
static int node_merge(struct node *node)
{
    while (node->name && node->child && !node->child->next && node->child->name) {
        struct node *child = node->child;
        char *name;
        if (asprintf(&name, "%s › %s", node->name, child->name) < 0)
            return -1;
        free(node->name);
        node->name = name;
        node->child = child->child;
        child->child = NULL;
        node_free(child);
    }
    for (struct node *child = node->child; child; child = child->next)
        if (node_merge(child) != 0)
            return -1;
    return 0;
}

static int node_depth(const struct node *node)
{
    int deepest = 0;
    for (const struct node *child = node->child; child; child = child->next) {
        int depth = node_depth(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void put_node(const struct report *report, const struct node *node, double x, double scale,
                     int row, FILE *out)
{
    double width = node->width * scale;
    const char *kind = "frame";
    struct set_name name = {""};
    if (node->set) {
        kind = report_is_growing(report, node->set) ? "set grows" : "set";
        name = show_set(node->set);
    }
    const char *label = node->set ? name.text : node->name;
    fprintf(out, "<g class=\"%s\"><title>", kind);
    html_text(label, out);
    if (node->set)
        fprintf(out, "\n%s, %s, %s keys", show_kind(node->set->kind),
                show_domain(node->set->domain), show_count(node->set->live).text);
    else
        fprintf(out, "\n%zu set%s", node->sets, node->sets == 1 ? "" : "s");
    fprintf(out,
            ", %s bytes</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" rx=\"3\"/>",
            show_bytes((uint64_t)node->bytes).text, x + 0.75, row * ROW + 1,
            width > 2.5 ? width - 1.5 : 1.0, ROW - 3);
    fprintf(out, "<text x=\"%.2f\" y=\"%d\">", x + 7, row * ROW + 19);
    char text[512];
    snprintf(text, sizeof text, "%s  %s", label, show_bytes((uint64_t)node->bytes).text);
    html_cut(text, width > 24 ? (size_t)((width - 12) / LETTER) : 0, out);
    fputs("</text></g>\n", out);
    if (row + 1 >= DEPTH_MOST)
        return;
    for (const struct node *child = node->child; child; child = child->next) {
        put_node(report, child, x, scale, row + 1, out);
        x += child->width * scale;
    }
}

static struct node *tree_make(const struct report *report)
{
    struct node *root = calloc(1, sizeof *root);
    double sum = 0;
    if (!root || !(root->name = strdup(report->now->program))) {
        free(root);
        return NULL;
    }
    for (size_t i = 0; i < report->now->set_count; i++)
        sum += (double)report->now->sets[i].bytes;
    for (size_t i = 0; i < report->now->set_count; i++)
        if (tree_add(report, root, report->sets[i], sum / 200 + 1) != 0) {
            node_free(root);
            return NULL;
        }
    node_sum(root);
    for (struct node *child = root->child; child; child = child->next)
        if (node_merge(child) != 0) {
            node_free(root);
            return NULL;
        }
    return root;
}

int report_tree(const struct report *report, FILE *out)
{
    struct node *root = tree_make(report);
    if (!root)
        return -1;
    int rows = node_depth(root);
    rows = rows > DEPTH_MOST ? DEPTH_MOST : rows;
    fprintf(
        out,
        "<svg class=\"tree\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"sets by who created "
        "them\">\n",
        WIDTH, rows * ROW);
    if (root->width > 0)
        put_node(report, root, 0, WIDTH / root->width, 0, out);
    fputs("</svg>\n", out);
    node_free(root);
    return 0;
}
