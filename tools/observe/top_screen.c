// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include "top.h"

#include "target.h"

#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum { PROCESSES_MOST = 6, STALLS_MOST = 4, EVENTS_MOST = 6 };

struct screen {
    struct top *top;
    size_t first_set;
    bool no_events, held;
    int row;
};

static chtype attributes(enum top_look look)
{
    switch (look) {
    case LOOK_TITLE:
        return A_BOLD;
    case LOOK_HEAD:
        return A_REVERSE;
    case LOOK_WARNING:
        return A_BOLD | (chtype)(has_colors() ? COLOR_PAIR(1) : 0);
    case LOOK_SOFT:
        return A_DIM;
    case LOOK_PLAIN:
        break;
    }
    return A_NORMAL;
}

// Writes a line, cut at the right edge: letters may be of several bytes and of two columns.
static void put_line(enum top_look look, const char *text, void *ctx)
{
    struct screen *screen = ctx;
    wchar_t wide[1024];
    size_t length = mbstowcs(wide, text, sizeof wide / sizeof *wide - 1);
    if (screen->row >= LINES - 1)
        return;
    if (length == (size_t)-1) { // not in this terminal's encoding: as far as it is ASCII
        for (length = 0; text[length] && length < sizeof wide / sizeof *wide - 1; length++)
            wide[length] = (unsigned char)text[length] < 0x80 ? (wchar_t)text[length] : L'?';
    }
    int columns = 0;
    size_t fitting = 0;
    for (; fitting < length; fitting++) {
        int width = wcwidth(wide[fitting]);
        columns += width < 0 ? 1 : width;
        if (columns > COLS)
            break;
    }
    attrset((int)attributes(look));
    mvaddnwstr(screen->row++, 0, wide, (int)fitting);
    if (look == LOOK_HEAD)
        for (; columns < COLS; columns++)
            addch(' ');
}

static struct top_room room_of(const struct screen *screen)
{
    enum { HEADINGS = 3, HELP = 1, SETS_LEAST = 3 };
    struct top_room room = {.processes = PROCESSES_MOST,
                            .first_set = screen->first_set,
                            .stalls = STALLS_MOST,
                            .events = screen->no_events ? 0 : EVENTS_MOST};
    size_t processes = screen->top->count > PROCESSES_MOST ? PROCESSES_MOST + 1
                       : screen->top->count                ? screen->top->count
                                                           : 1;
    int taken = (int)(processes + room.stalls + room.events) + HEADINGS + HELP;
    room.sets = LINES > taken + SETS_LEAST ? (size_t)(LINES - taken) : SETS_LEAST;
    return room;
}

static void draw(struct screen *screen)
{
    char help[256];
    struct top_room room = room_of(screen);
    size_t sets = top_set_count(screen->top);
    if (screen->first_set >= sets)
        screen->first_set = room.first_set = sets ? sets - 1 : 0;
    erase();
    screen->row = 0;
    top_draw(screen->top, &room, put_line, screen);
    snprintf(
        help, sizeof help,
        "sorted by %s%s | b bytes  g growth  k keys  a adds  r retired | arrows move  e events  "
        "space %s  q quit",
        top_order_name(screen->top->order), screen->held ? ", HELD" : "",
        screen->held ? "go on" : "hold");
    attrset(A_REVERSE);
    mvaddnstr(LINES - 1, 0, help, COLS);
    for (int column = getcurx(stdscr); column > 0 && column < COLS - 1; column++)
        addch(' ');
    refresh();
}

// Returns false when the user wants to end it.
static bool obey(struct screen *screen, int key)
{
    static const char orders[ORDERS + 1] = "bgkar";
    const char *order = key > 0 && key < 128 ? strchr(orders, key) : NULL;
    size_t sets = top_set_count(screen->top), page = room_of(screen).sets;
    if (order) {
        screen->top->order = (enum top_order)(order - orders);
        return true;
    }
    switch (key) {
    case 'q':
    case 3:
        return false;
    case 'e':
        screen->no_events = !screen->no_events;
        break;
    case ' ':
        screen->held = !screen->held;
        break;
    case KEY_DOWN:
        screen->first_set += screen->first_set + 1 < sets;
        break;
    case KEY_UP:
        screen->first_set -= screen->first_set > 0;
        break;
    case KEY_NPAGE:
        screen->first_set += screen->first_set + page < sets ? page : 0;
        break;
    case KEY_PPAGE:
        screen->first_set -= screen->first_set > page ? page : screen->first_set;
        break;
    case KEY_HOME:
        screen->first_set = 0;
        break;
    default: // KEY_RESIZE only needs another drawing
        break;
    }
    return true;
}

static double clock_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// Draws after each key, and looks when it is time.
static void watch(struct screen *screen, double interval)
{
    double next = clock_seconds() + interval;
    for (;;) {
        draw(screen);
        double wait = next - clock_seconds();
        timeout(wait > 0 ? (int)(wait * 1000) + 1 : 0);
        errno = 0;
        int key = getch();
        if (key != ERR && !obey(screen, key))
            return;
        if (key == ERR && errno == EIO) // the terminal is gone
            return;
        if (clock_seconds() < next)
            continue;
        if (!screen->held)
            top_look(screen->top);
        next = clock_seconds() + interval;
    }
}

int top_screen(struct top *top, double interval)
{
    struct screen screen = {.top = top};
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (!terminal) {
        fprintf(stderr, "%s: this terminal is not known (TERM=%s); --batch N prints plain text\n",
                top->tool, getenv("TERM") ? getenv("TERM") : "");
        return TOOL_CANNOT;
    }
    if (start_color() == OK && use_default_colors() == OK)
        init_pair(1, COLOR_RED, -1);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    watch(&screen, interval);
    endwin();
    delscreen(terminal);
    return TOOL_OK;
}
