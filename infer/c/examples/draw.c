/* Draws one digit as a PGM file on standard output.
 *
 *     cc draw.c $(pkg-config --cflags --libs edgegan) -o draw
 *     ./draw /usr/share/edgegan/mnist-generator.onnx 5 7 > five.pgm
 */
#include <edgegan.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
    fprintf(stderr, "draw: %s: %s\n", what, edgegan_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL CLASS [SEED [ENGINE]]\n", argv[0]);
        return 2;
    }
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    edgegan_options options = {.engine = argc > 4 ? argv[4] : NULL, .expected_images = 1};

    edgegan_generator *generator;
    if (edgegan_load(argv[1], &options, &generator) != EDGEGAN_STATUS_OK)
        return fail("loading");

    int status = EXIT_FAILURE;
    uint8_t *pixels = NULL;
    edgegan_sample sample = {.index = 0};
    edgegan_description model;
    if (edgegan_describe(generator, &model) != EDGEGAN_STATUS_OK) {
        fail("describing");
        goto end;
    }
    if (model.labelled && edgegan_find_class(generator, argv[2], &sample.label) != EDGEGAN_STATUS_OK) {
        fail("the class");
        goto end;
    }
    if (model.channels != 1) {
        fprintf(stderr, "draw: the model draws in colour, which a PGM file can't hold\n");
        goto end;
    }
    size_t length = model.channels * model.height * model.width;
    pixels = malloc(length);
    edgegan_output output = {.pixels = pixels, .pixels_length = pixels ? length : 0};
    if (edgegan_draw(generator, seed, &sample, 1, &output) != EDGEGAN_STATUS_OK) {
        fail("drawing");
        goto end;
    }
    printf("P5\n%zu %zu\n255\n", model.width, model.height);
    if (fwrite(pixels, 1, length, stdout) == length && fflush(stdout) == 0)
        status = EXIT_SUCCESS;
    else
        perror("draw: standard output");

end:
    free(pixels);
    edgegan_free(generator);
    return status;
}
