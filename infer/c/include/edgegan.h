/* edgegan in C: draws labelled pictures from a generator's ONNX file.
 *
 *     edgegan_generator *generator;
 *     edgegan_sample five = {.index = 0, .label = 5};
 *     uint8_t pixels[28 * 28];
 *     edgegan_output output = {.pixels = pixels, .pixels_length = sizeof pixels};
 *     if (edgegan_load("mnist-generator.onnx", NULL, &generator) != EDGEGAN_STATUS_OK ||
 *         edgegan_draw(generator, 7, &five, 1, &output) != EDGEGAN_STATUS_OK)
 *         fprintf(stderr, "%s\n", edgegan_last_error());
 *     edgegan_free(generator);
 *
 * Failures. A function that can fail returns a status. edgegan_last_error() then has a sentence about it,
 * one for each thread. A function that fails writes nothing to its results, except that a buffer for
 * pictures may have been filled in part.
 *
 * Pointers. Each must be NULL, where its function says that it may be, or point to as many aligned elements
 * as the function is told. Text is UTF-8 and ends in a zero byte; a path is what the system takes. Results
 * must not overlap with anything else that a call is given.
 *
 * Threads. Any number of threads may use one generator at once, and draw what one would; their calls wait
 * for each other, so that threads that are to draw at the same time load a generator each. Only
 * edgegan_free() must be the last call, and alone.
 *
 * The process. Loading ONNX Runtime, of which a process can have one, sets ORT_DISABLE_TELEMETRY in the
 * environment unless it is set, so that nothing is reported. Where other threads read the environment at
 * that time, set it at the program's start, or name the engine "rten". Nothing else outside of a generator
 * is changed, and no file is written.
 */

#ifndef EDGEGAN_H
#define EDGEGAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a call came to.
typedef enum edgegan_status {
  // Done.
  EDGEGAN_STATUS_OK = 0,
  // A pointer is NULL that must not be.
  EDGEGAN_STATUS_NULL_POINTER = 1,
  // A number, a name or a text is none that the function takes.
  EDGEGAN_STATUS_BAD_ARGUMENT = 2,
  // A buffer is too short; nothing was drawn.
  EDGEGAN_STATUS_SHORT_BUFFER = 3,
  // A label or a name is no class of the model.
  EDGEGAN_STATUS_UNKNOWN_CLASS = 4,
  // A file is not there, or can't be read.
  EDGEGAN_STATUS_UNREADABLE = 5,
  // The model is damaged, or no edgegan generator, or the engine refuses it.
  EDGEGAN_STATUS_BAD_MODEL = 6,
  // The judge is damaged, or no judge of what the generator draws.
  EDGEGAN_STATUS_BAD_JUDGE = 7,
  // The engine, the device or the ONNX Runtime that was asked for can't be used on this machine.
  EDGEGAN_STATUS_UNAVAILABLE = 8,
  // The engine failed while it ran the model.
  EDGEGAN_STATUS_RUN_FAILED = 9,
  // The pictures are not those that the model promises.
  EDGEGAN_STATUS_SELF_TEST_FAILED = 10,
  // The generator was loaded without a judge.
  EDGEGAN_STATUS_NO_JUDGE = 11,
  // A fault of this library. A generator that was in use must be freed and loaded again.
  EDGEGAN_STATUS_INTERNAL = 12,
} edgegan_status;

// A loaded generator, with its judge if it has one.
typedef struct edgegan_generator edgegan_generator;

// How to load a generator. What is zero or NULL is left to the library, so `{0}` is the default of all.
typedef struct edgegan_options {
  // What runs the model: "onnxruntime" (the machine's library), "rten" (part of this one; CPU alone) or
  // "auto", the first of them that serves, which is the default.
  const char *engine;
  // Where it runs: "cpu", "cuda", "cuda:N", "tensorrt", "tensorrt:N" or "auto", the fastest that serves,
  // which is the default.
  const char *device;
  // The path of the ONNX Runtime library, 1.17 or later. By default the one that ORT_DYLIB_PATH names,
  // or one that is found beside the program, by the system's loader, or in Python's packages.
  const char *runtime;
  // The path of a judge, an ONNX file, for edgegan_verify(). By default there is none.
  const char *judge;
  // In place of that path, the judge's file in memory, which is needed during the call alone.
  const uint8_t *judge_bytes;
  // How many bytes that is.
  size_t judge_length;
  // Threads of the CPU; by default one if expected_images is 1, and one for each processor otherwise.
  size_t threads;
  // About how many pictures will be drawn: few start faster, many run faster, from 320 on. By default 64.
  size_t expected_images;
} edgegan_options;

// What a generator draws, and from what.
typedef struct edgegan_description {
  // Channels of a picture: 1, grey, or 3, red, green and blue.
  size_t channels;
  // Rows of a picture.
  size_t height;
  // Columns of a picture.
  size_t width;
  // How many numbers of z a picture is drawn from.
  size_t latent_dim;
  // Whether pictures have labels: 0, 1, … up to the number of classes, less one.
  bool labelled;
  // How many classes there are; 0 if there are no labels.
  size_t classes;
  // Whether a judge was loaded with it, which edgegan_verify() asks.
  bool has_judge;
} edgegan_description;

// One picture to draw. It depends on the model, the seed, its index and its label alone.
typedef struct edgegan_sample {
  // Its index in the seed's sequence: which latents it gets.
  uint64_t index;
  // Its class; 0 if the model has no labels.
  int64_t label;
} edgegan_sample;

// Where pictures go: as bytes, as the network's own numbers, or both. One after the other, each with its
// channels one after the other, rows from the top, columns from the left.
typedef struct edgegan_output {
  // Levels from 0, black, to 255, white, as `infer` writes them to PNG files; or NULL.
  uint8_t *pixels;
  // How many bytes there is room for: at least count × channels × height × width.
  size_t pixels_length;
  // The network's own numbers; or NULL.
  float *values;
  // How many numbers there is room for: as many.
  size_t values_length;
} edgegan_output;

// What a judge says of a picture.
typedef struct edgegan_reading {
  // The class that it is taken for.
  int64_t label;
  // How sure the judge is, from 0 to 1, with four decimals.
  double confidence;
} edgegan_reading;

// How pictures compare with those that the model promises.
typedef struct edgegan_comparison {
  // How many pixels were compared.
  size_t pixels;
  // How many of them differ.
  size_t differing;
  // The largest difference, in levels of 255.
  uint8_t largest;
  // The largest difference allowed.
  uint8_t tolerance;
} edgegan_comparison;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The status of this thread's last call that failed; EDGEGAN_STATUS_OK if none did.
enum edgegan_status edgegan_last_status(void);

// A sentence about this thread's last call that failed: what was found, what was expected, what to do.
// Empty if none did. Never NULL; valid until the next call of this thread that fails, and the thread's end.
const char *edgegan_last_error(void);

// Loads a generator from an ONNX file that edgegan's `export` wrote.
//
// `options` may be NULL. `*generator` is NULL after a failure.
enum edgegan_status edgegan_load(const char *path,
                                 const struct edgegan_options *options,
                                 struct edgegan_generator **generator);

// As edgegan_load(), from the file's bytes, which are needed during the call alone.
enum edgegan_status edgegan_load_bytes(const uint8_t *bytes,
                                       size_t length,
                                       const struct edgegan_options *options,
                                       struct edgegan_generator **generator);

// Frees a generator, with all that was asked of it. NULL is nothing to free.
void edgegan_free(struct edgegan_generator *generator);

// Describes a generator.
enum edgegan_status edgegan_describe(const struct edgegan_generator *generator,
                                     struct edgegan_description *description);

// The name of the class with this label, valid until the generator is freed; NULL, a failure, if it is none.
// It is the file's own text: escape it where it matters, such as in a terminal.
const char *edgegan_class_name(const struct edgegan_generator *generator,
                               int64_t label);

// The label of the class with this name.
enum edgegan_status edgegan_find_class(const struct edgegan_generator *generator,
                                       const char *name,
                                       int64_t *label);

// The engine's name and version, such as "ONNX Runtime 1.32.0"; valid until the generator is freed. NULL,
// a failure, if the generator is NULL.
const char *edgegan_engine(const struct edgegan_generator *generator);

// The device that the engine draws on, such as "cpu" or "cuda:0"; otherwise as edgegan_engine().
const char *edgegan_device(const struct edgegan_generator *generator);

// This library's version, such as "0.1.0"; never NULL, valid for ever.
const char *edgegan_version(void);

// Draws pictures of a seed. How many are drawn together can move a pixel by one level where its value
// lies on the edge of rounding; the same call draws the same bytes.
enum edgegan_status edgegan_draw(const struct edgegan_generator *generator,
                                 uint64_t seed,
                                 const struct edgegan_sample *samples,
                                 size_t count,
                                 const struct edgegan_output *output);

// Draws pictures of any latents: `count` rows of latent_dim numbers are `z_length` numbers. `labels` are
// `count` numbers; of a model without labels it is not looked at, and may be NULL.
enum edgegan_status edgegan_draw_latents(const struct edgegan_generator *generator,
                                         const float *z,
                                         size_t z_length,
                                         const int64_t *labels,
                                         size_t count,
                                         const struct edgegan_output *output);

// The latents that edgegan_draw() draws picture `index` of a seed from: latent_dim numbers, to go on from
// with edgegan_draw_latents().
enum edgegan_status edgegan_latents(const struct edgegan_generator *generator,
                                    uint64_t seed,
                                    uint64_t index,
                                    float *z,
                                    size_t z_length);

// Asks the judge what pictures show: `count` pictures of channels × height × width bytes, as edgegan_draw()
// gives them, are `length` bytes. There is room for `count` readings.
enum edgegan_status edgegan_verify(const struct edgegan_generator *generator,
                                   const uint8_t *pixels,
                                   size_t length,
                                   size_t count,
                                   struct edgegan_reading *readings);

// Draws the pictures that the model's file promises, and compares: whether this machine's engine draws what
// the machine that wrote the file did. `comparison` may be NULL; it is written after
// EDGEGAN_STATUS_SELF_TEST_FAILED too.
enum edgegan_status edgegan_self_test(const struct edgegan_generator *generator,
                                      struct edgegan_comparison *comparison);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* EDGEGAN_H */
