/* Hands the library what it must refuse: arguments.c MODEL JUDGE. */
#include <edgegan.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE (28 * 28)

static int failures = 0;

/* Whether a call had this status, and said of it what it should. */
#define EXPECT(call, expected, words) expect(__LINE__, #call, call, expected, words)

static void expect(int line, const char *call, edgegan_status found, edgegan_status expected, const char *words) {
    if (found != expected) {
        fprintf(stderr, "line %d: %s is %d, expected %d: %s\n", line, call, (int)found, (int)expected, edgegan_last_error());
        failures++;
    } else if (expected != EDGEGAN_STATUS_OK &&
               (edgegan_last_status() != expected || !strstr(edgegan_last_error(), words))) {
        fprintf(stderr, "line %d: %s: \"%s\" (%d) has no \"%s\"\n", line, call, edgegan_last_error(),
                (int)edgegan_last_status(), words);
        failures++;
    }
}

static void expect_true(int line, const char *claim, int holds) {
    if (!holds) {
        fprintf(stderr, "line %d: not so: %s\n", line, claim);
        failures++;
    }
}
#define TRUE(claim) expect_true(__LINE__, #claim, claim)

static unsigned char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        exit(3);
    *length = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*length);
    if (!bytes || fread(bytes, 1, *length, file) != *length)
        exit(3);
    fclose(file);
    return bytes;
}

static void loading(const char *model, const char *judge) {
    edgegan_generator *generator = (edgegan_generator *)1;
    EXPECT(edgegan_load(NULL, NULL, &generator), EDGEGAN_STATUS_NULL_POINTER, "path is NULL");
    TRUE(generator == NULL);
    EXPECT(edgegan_load(model, NULL, NULL), EDGEGAN_STATUS_NULL_POINTER, "generator is NULL");
    EXPECT(edgegan_load("nowhere.onnx", NULL, &generator), EDGEGAN_STATUS_UNREADABLE, "nowhere.onnx");
    EXPECT(edgegan_load("/", NULL, &generator), EDGEGAN_STATUS_UNREADABLE, "folder");
    EXPECT(edgegan_load(judge, NULL, &generator), EDGEGAN_STATUS_BAD_MODEL, "no edgegan generator");
    EXPECT(edgegan_load_bytes(NULL, 1, NULL, &generator), EDGEGAN_STATUS_NULL_POINTER, "bytes is NULL");
    EXPECT(edgegan_load_bytes((const uint8_t *)"", 0, NULL, &generator), EDGEGAN_STATUS_BAD_MODEL, "ONNX");
    EXPECT(edgegan_load_bytes((const uint8_t *)"a", SIZE_MAX, NULL, &generator), EDGEGAN_STATUS_BAD_ARGUMENT, "no memory");
    EXPECT(edgegan_load_bytes((const uint8_t *)"no model", 8, NULL, &generator), EDGEGAN_STATUS_BAD_MODEL, "ONNX");
    TRUE(generator == NULL);

    edgegan_options options = {.engine = "steam"};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_ARGUMENT, "steam");
    options = (edgegan_options){.engine = "\xff"};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_ARGUMENT, "UTF-8");
    options = (edgegan_options){.device = "gpu"};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_ARGUMENT, "gpu");
    options = (edgegan_options){.engine = "rten", .device = "cuda"};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_UNAVAILABLE, "CPU");
    options = (edgegan_options){.runtime = "nowhere.so"};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_UNAVAILABLE, "nowhere.so");
    options = (edgegan_options){.engine = "rten", .threads = SIZE_MAX};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_ARGUMENT, "options.threads");
    options = (edgegan_options){.engine = "rten", .judge = "nowhere.onnx"};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_UNREADABLE, "nowhere.onnx");
    options = (edgegan_options){.engine = "rten", .judge = model};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_JUDGE, "judge");
    options = (edgegan_options){.engine = "rten", .judge_bytes = (const uint8_t *)"x", .judge_length = 1};
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_JUDGE, "judge");
    options.judge = judge;
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_BAD_ARGUMENT, "leave one");
    TRUE(generator == NULL);
    edgegan_free(NULL);
}

/* A model that is cut short anywhere, or has bytes changed, is refused or draws. */
static void damaged(const char *model) {
    size_t length;
    unsigned char *bytes = read_file(model, &length);
    edgegan_options options = {.engine = "rten", .threads = 1, .expected_images = 1};
    edgegan_generator *generator;
    const size_t cuts[] = {1, 100, 5000, length / 2, length - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        EXPECT(edgegan_load_bytes(bytes, cuts[i], &options, &generator), EDGEGAN_STATUS_BAD_MODEL, "in memory");
    for (size_t at = 0; at < 400; at += 47) {
        bytes[at] ^= 0x55;
        edgegan_status status = edgegan_load_bytes(bytes, length, &options, &generator);
        TRUE(status == EDGEGAN_STATUS_OK || edgegan_last_status() == status);
        TRUE(status != EDGEGAN_STATUS_INTERNAL);
        TRUE((status == EDGEGAN_STATUS_OK) == (generator != NULL));
        edgegan_free(generator);
        bytes[at] ^= 0x55;
    }
    free(bytes);
}

static void drawing(const char *model, const char *judge) {
    edgegan_options options = {.engine = "rten", .threads = 1, .judge = judge};
    edgegan_generator *generator;
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_OK, "");
    edgegan_description found;
    EXPECT(edgegan_describe(NULL, &found), EDGEGAN_STATUS_NULL_POINTER, "generator is NULL");
    EXPECT(edgegan_describe(generator, NULL), EDGEGAN_STATUS_NULL_POINTER, "description is NULL");
    EXPECT(edgegan_describe(generator, &found), EDGEGAN_STATUS_OK, "");
    TRUE(found.channels == 1 && found.height == 28 && found.width == 28 && found.latent_dim == 100);
    TRUE(found.labelled && found.classes == 10 && found.has_judge);
    TRUE(!strcmp(edgegan_class_name(generator, 7), "7"));
    TRUE(!edgegan_class_name(generator, 10) && edgegan_last_status() == EDGEGAN_STATUS_UNKNOWN_CLASS);
    TRUE(!edgegan_class_name(generator, -1) && !edgegan_class_name(NULL, 0) && !edgegan_engine(NULL));
    TRUE(!strncmp(edgegan_engine(generator), "rten ", 5) && !strcmp(edgegan_device(generator), "cpu"));
    TRUE(strlen(edgegan_version()) >= 5);
    int64_t label = 77;
    EXPECT(edgegan_find_class(generator, "eleven", &label), EDGEGAN_STATUS_UNKNOWN_CLASS, "eleven");
    EXPECT(edgegan_find_class(generator, NULL, &label), EDGEGAN_STATUS_NULL_POINTER, "name is NULL");
    EXPECT(edgegan_find_class(generator, "5", NULL), EDGEGAN_STATUS_NULL_POINTER, "label is NULL");
    TRUE(label == 77);
    EXPECT(edgegan_find_class(generator, "5", &label), EDGEGAN_STATUS_OK, "");
    TRUE(label == 5);

    uint8_t *pixels = malloc(3 * SIZE);
    float *values = malloc(3 * SIZE * sizeof *values), z[200];
    edgegan_sample samples[3] = {{0, 5}, {1, 0}, {UINT64_MAX, 9}};
    edgegan_output output = {.pixels = pixels, .pixels_length = 3 * SIZE, .values = values, .values_length = 3 * SIZE};
    EXPECT(edgegan_draw(NULL, 7, samples, 3, &output), EDGEGAN_STATUS_NULL_POINTER, "generator");
    EXPECT(edgegan_draw(generator, 7, NULL, 3, &output), EDGEGAN_STATUS_NULL_POINTER, "samples");
    EXPECT(edgegan_draw(generator, 7, samples, 3, NULL), EDGEGAN_STATUS_NULL_POINTER, "output");
    EXPECT(edgegan_draw(generator, 7, samples, 0, &output), EDGEGAN_STATUS_BAD_ARGUMENT, "count");
    EXPECT(edgegan_draw(generator, 7, samples, SIZE_MAX / 32, &output), EDGEGAN_STATUS_SHORT_BUFFER, "");
    edgegan_output none = {0};
    EXPECT(edgegan_draw(generator, 7, samples, 3, &none), EDGEGAN_STATUS_NULL_POINTER, "output.pixels");
    output.pixels_length--;
    EXPECT(edgegan_draw(generator, 7, samples, 3, &output), EDGEGAN_STATUS_SHORT_BUFFER, "2351 elements, expected 2352");
    output.pixels_length++;
    output.values_length = 1;
    EXPECT(edgegan_draw(generator, 7, samples, 3, &output), EDGEGAN_STATUS_SHORT_BUFFER, "output.values");
    output.values_length = 3 * SIZE;
    output.values = (float *)((char *)values + 1);
    EXPECT(edgegan_draw(generator, 7, samples, 3, &output), EDGEGAN_STATUS_BAD_ARGUMENT, "multiple of 4");
    output.values = values;
    for (int64_t bad = -1; bad <= 10; bad += 11) {
        samples[1].label = bad;
        EXPECT(edgegan_draw(generator, 7, samples, 3, &output), EDGEGAN_STATUS_UNKNOWN_CLASS, "is not a class");
    }
    samples[1].label = 0;
    EXPECT(edgegan_draw(generator, 7, samples, 3, &output), EDGEGAN_STATUS_OK, "");
    for (int i = 0; i < 3 * SIZE; i++)
        TRUE(pixels[i] == (uint8_t)(values[i] * 255 + 0.5f));

    /* The same from their latents. */
    EXPECT(edgegan_latents(generator, 7, 0, z, 99), EDGEGAN_STATUS_SHORT_BUFFER, "expected 100");
    EXPECT(edgegan_latents(generator, 7, 0, NULL, 100), EDGEGAN_STATUS_NULL_POINTER, "z is NULL");
    EXPECT(edgegan_latents(generator, 7, 0, z, 100), EDGEGAN_STATUS_OK, "");
    EXPECT(edgegan_latents(generator, 7, 1, z + 100, 100), EDGEGAN_STATUS_OK, "");
    uint8_t *again = malloc(2 * SIZE);
    const int64_t labels[2] = {5, 0}, bad[2] = {5, 10};
    edgegan_output to = {.pixels = again, .pixels_length = 2 * SIZE};
    EXPECT(edgegan_draw_latents(generator, NULL, 200, labels, 2, &to), EDGEGAN_STATUS_NULL_POINTER, "z is NULL");
    EXPECT(edgegan_draw_latents(generator, z, 200, NULL, 2, &to), EDGEGAN_STATUS_NULL_POINTER, "labels is NULL");
    EXPECT(edgegan_draw_latents(generator, z, 199, labels, 2, &to), EDGEGAN_STATUS_BAD_ARGUMENT, "199");
    EXPECT(edgegan_draw_latents(generator, z, 200, labels, 1, &to), EDGEGAN_STATUS_BAD_ARGUMENT, "200");
    EXPECT(edgegan_draw_latents(generator, z, 200, bad, 2, &to), EDGEGAN_STATUS_UNKNOWN_CLASS, "10");
    EXPECT(edgegan_draw_latents(generator, z, 200, labels, 2, &to), EDGEGAN_STATUS_OK, "");
    TRUE(!memcmp(pixels, again, 2 * SIZE));

    edgegan_reading readings[3] = {{-7, 0}, {-7, 0}, {-7, 0}};
    EXPECT(edgegan_verify(generator, NULL, SIZE, 1, readings), EDGEGAN_STATUS_NULL_POINTER, "pixels is NULL");
    EXPECT(edgegan_verify(generator, pixels, SIZE, 1, NULL), EDGEGAN_STATUS_NULL_POINTER, "readings is NULL");
    EXPECT(edgegan_verify(generator, pixels, SIZE - 1, 1, readings), EDGEGAN_STATUS_SHORT_BUFFER, "784");
    EXPECT(edgegan_verify(generator, pixels, SIZE + 1, 1, readings), EDGEGAN_STATUS_BAD_ARGUMENT, "784");
    EXPECT(edgegan_verify(generator, pixels, 0, 0, readings), EDGEGAN_STATUS_BAD_ARGUMENT, "1 or more");
    TRUE(readings[0].label == -7);
    EXPECT(edgegan_verify(generator, pixels, 3 * SIZE, 3, readings), EDGEGAN_STATUS_OK, "");
    for (int i = 0; i < 3; i++)
        TRUE(readings[i].label == samples[i].label && readings[i].confidence > 0.5 && readings[i].confidence <= 1);

    edgegan_comparison comparison = {0};
    EXPECT(edgegan_self_test(NULL, &comparison), EDGEGAN_STATUS_NULL_POINTER, "generator");
    EXPECT(edgegan_self_test(generator, NULL), EDGEGAN_STATUS_OK, "");
    EXPECT(edgegan_self_test(generator, &comparison), EDGEGAN_STATUS_OK, "");
    TRUE(comparison.pixels > 0 && comparison.pixels % SIZE == 0 && comparison.largest <= comparison.tolerance);
    edgegan_free(generator);

    options.judge = NULL;
    EXPECT(edgegan_load(model, &options, &generator), EDGEGAN_STATUS_OK, "");
    EXPECT(edgegan_verify(generator, pixels, SIZE, 1, readings), EDGEGAN_STATUS_NO_JUDGE, "options.judge");
    edgegan_free(generator);
    free(again);
    free(values);
    free(pixels);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    TRUE(edgegan_last_status() == EDGEGAN_STATUS_OK && !strcmp(edgegan_last_error(), ""));
    loading(argv[1], argv[2]);
    damaged(argv[1]);
    drawing(argv[1], argv[2]);
    return failures ? 1 : 0;
}
