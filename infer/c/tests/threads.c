/* Four threads draw with one generator at once, and get what one thread gets: threads.c MODEL ENGINE TURNS. */
#include <edgegan.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE (28 * 28)
#define THREADS 4
#define MOST_TURNS 6
/* Not the same number in each thread. */
#define PICTURES(thread) ((thread) + 1)

typedef struct {
    edgegan_generator *generator;
    int thread;
    int turns;
    int failed;
    uint8_t pixels[MOST_TURNS][PICTURES(THREADS) * SIZE];
} job;

static void *draw(void *argument) {
    job *job = argument;
    for (int turn = 0; turn < job->turns; turn++) {
        edgegan_sample samples[PICTURES(THREADS)];
        int count = PICTURES(job->thread);
        for (int i = 0; i < count; i++)
            samples[i] = (edgegan_sample){.index = (uint64_t)(100 * turn + i), .label = (job->thread + i) % 10};
        edgegan_output output = {.pixels = job->pixels[turn], .pixels_length = (size_t)count * SIZE};
        job->failed |= edgegan_draw(job->generator, (uint64_t)job->thread, samples, (size_t)count, &output) != EDGEGAN_STATUS_OK;
        /* Each thread has a sentence of its own. */
        char name[] = {'2', (char)('0' + job->thread), '\0'};
        int64_t label;
        job->failed |= edgegan_find_class(job->generator, name, &label) != EDGEGAN_STATUS_UNKNOWN_CLASS;
        job->failed |= !strstr(edgegan_last_error(), name);
    }
    return NULL;
}

int main(int argc, char **argv) {
    int turns = argc == 4 ? atoi(argv[3]) : 0;
    if (turns < 1 || turns > MOST_TURNS)
        return 2;
    edgegan_options options = {.engine = argv[2], .threads = 1};
    edgegan_generator *generator;
    if (edgegan_load(argv[1], &options, &generator) != EDGEGAN_STATUS_OK) {
        fprintf(stderr, "%s\n", edgegan_last_error());
        return 3;
    }
    job *alone = calloc(THREADS, sizeof *alone), *together = calloc(THREADS, sizeof *together);
    if (!alone || !together)
        return 3;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        alone[i].generator = together[i].generator = generator;
        alone[i].thread = together[i].thread = i;
        alone[i].turns = together[i].turns = turns;
        draw(&alone[i]);
    }
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, draw, &together[i]) != 0)
            return 3;
    int status = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (alone[i].failed || together[i].failed || memcmp(alone[i].pixels, together[i].pixels, sizeof alone[i].pixels) != 0) {
            fprintf(stderr, "thread %d drew something else, or failed\n", i);
            status = 1;
        }
    }
    free(alone);
    free(together);
    edgegan_free(generator);
    return status;
}
