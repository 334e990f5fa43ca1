/* A small SMTP server that takes every message and keeps none, for benchmarks.

   One process, epoll, PIPELINING. Every answer leaves a constant time after what it answers has
   arrived, as if the line to it were that long; an answer to a group of commands leaves as one.
   Usage: sink DELAY_MS. Prints its port; serves until its standard input ends.

   Faster than Postfix's smtp-sink, so that the sender is what is measured. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, OUT_MAX = 4096, CLIENTS_MAX = 4096 };

/* what has to match to end a message: CR LF . CR LF, beginning after a CR LF */
static const char END_MARK[] = "\r\n.\r\n";

struct client {
    int fd;
    bool in_data, closing;
    int matched;                /* bytes of END_MARK seen */
    char line[LINE_MAX_BYTES];
    size_t line_bytes;
    char out[OUT_MAX];          /* answers that wait for their time */
    size_t out_bytes;
    double due;
    struct client *next;        /* in the queue of those that wait; due times rise in it */
    bool queued;
};

static double delay_s;
static struct client *queue_head, *queue_tail;
static char input[1 << 18];

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void say(struct client *c, const char *text) {
    size_t bytes = strlen(text);
    if (c->out_bytes + bytes <= OUT_MAX) {
        memcpy(c->out + c->out_bytes, text, bytes);
        c->out_bytes += bytes;
    }
}

static void take_line(struct client *c) {
    if (!strncasecmp(c->line, "DATA", 4)) {
        say(c, "354 go on\r\n");
        c->in_data = true;
        c->matched = 2;         /* the line end after DATA counts as one before a dot */
    } else if (!strncasecmp(c->line, "EHLO", 4)) {
        say(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
    } else if (!strncasecmp(c->line, "QUIT", 4)) {
        say(c, "221 2.0.0 bye\r\n");
        c->closing = true;
    } else {
        say(c, "250 2.0.0 ok\r\n");
    }
}

/* Skip a message's content; gives the bytes used up. */
static size_t skip_content(struct client *c, const char *data, size_t bytes) {
    size_t at = 0;
    while (at < bytes) {
        if (c->matched == 0) {
            const char *found = memchr(data + at, '\r', bytes - at);
            if (!found) return bytes;
            at = found - data;
        }
        char octet = data[at++];
        if (octet == END_MARK[c->matched]) {
            if (++c->matched == 5) {
                c->in_data = false;
                c->matched = 0;
                say(c, "250 2.0.0 taken\r\n");
                return at;
            }
        } else {
            c->matched = octet == '\r' ? 1 : 0;
        }
    }
    return at;
}

static void take_input(struct client *c, const char *data, size_t bytes) {
    size_t at = 0;
    while (at < bytes) {
        if (c->in_data) {
            at += skip_content(c, data + at, bytes - at);
            continue;
        }
        char octet = data[at++];
        if (octet == '\n') {
            c->line[c->line_bytes] = 0;
            c->line_bytes = 0;
            take_line(c);
        } else if (c->line_bytes < LINE_MAX_BYTES - 1) {
            c->line[c->line_bytes++] = octet;
        }
    }
}

static void drop(struct client *c) {
    close(c->fd);
    c->fd = -1;
    if (!c->queued) free(c);
}

static void flush_out(struct client *c) {
    if (c->fd < 0) return;
    /* answers are short: what the kernel does not take at once is a broken connection */
    if (send(c->fd, c->out, c->out_bytes, MSG_NOSIGNAL) != (ssize_t)c->out_bytes || c->closing) {
        drop(c);
        return;
    }
    c->out_bytes = 0;
}

static void answer(struct client *c) {
    if (!c->out_bytes) return;
    if (delay_s <= 0) {
        flush_out(c);
        return;
    }
    if (c->queued) return;
    c->queued = true;
    c->due = now_s() + delay_s;
    c->next = NULL;
    if (queue_tail) queue_tail->next = c; else queue_head = c;
    queue_tail = c;
}

/* Send what is due, and have the timer ring when the next is; it counts in nanoseconds, which
   epoll's own limit does not. */
static void serve_queue(int timer) {
    while (queue_head) {
        double left = queue_head->due - now_s();
        if (left > 0) {
            struct itimerspec ring = {.it_value = {(time_t)left, (long)((left - (time_t)left) * 1e9) + 1}};
            timerfd_settime(timer, 0, &ring, NULL);
            return;
        }
        struct client *c = queue_head;
        queue_head = c->next;
        if (!queue_head) queue_tail = NULL;
        c->queued = false;
        if (c->fd < 0) free(c); else flush_out(c);
    }
}

static void take_client(int poll_fd, int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *c = calloc(1, sizeof *c);
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    say(c, "220 sink ESMTP\r\n");
    answer(c);
}

static void read_client(struct client *c) {
    ssize_t bytes = recv(c->fd, input, sizeof input, 0);
    if (bytes > 0) {
        take_input(c, input, bytes);
        answer(c);
    } else if (bytes == 0 || errno != EAGAIN) {
        drop(c);
    }
}

int main(int argc, char **argv) {
    delay_s = argc > 1 ? atof(argv[1]) / 1000 : 0;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof place;
    if (bind(listener, (struct sockaddr *)&place, length) || listen(listener, CLIENTS_MAX) ||
        getsockname(listener, (struct sockaddr *)&place, &length)) {
        perror("sink");
        return 1;
    }
    printf("%d\n", ntohs(place.sin_port));
    fflush(stdout);
    int poll_fd = epoll_create1(0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    static int stdin_mark, listener_mark, timer_mark;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener_mark};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &stdin_mark;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &event);
    event.data.ptr = &timer_mark;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &event);
    struct epoll_event events[256];
    for (;;) {
        serve_queue(timer);
        int ready = epoll_wait(poll_fd, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &stdin_mark) return 0;
            uint64_t rung;
            if (events[i].data.ptr == &timer_mark) (void)!read(timer, &rung, sizeof rung);
            else if (events[i].data.ptr == &listener_mark) take_client(poll_fd, listener);
            else read_client(events[i].data.ptr);
        }
    }
}
