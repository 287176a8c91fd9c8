/* graphflow for programs in other languages: a trained model in, class maps out. Plain C, one shared library
 * (libgraphflow), no Python, and the CPU alone unless a device is asked for.
 *
 *   gf_model* model;
 *   if (gf_load("best.gfm", NULL, &model) != GF_OK) { puts(gf_error()); return 1; }
 *   gf_image image = {pixels, 1, height, width, gf_channels(model), 0};
 *   if (gf_predict(model, &image, classes) != GF_OK) puts(gf_error());
 *   gf_free(model);
 *
 * Threads: any function may be called from any thread. Calls of gf_predict on one model wait for each other; on
 * different models they run side by side, each with as many threads of its own as gf_options says. gf_free must be the
 * last call on its model. No C++ exception leaves a function; memory that runs out is GF_OUT_OF_MEMORY. */
#ifndef GRAPHFLOW_H
#define GRAPHFLOW_H

#include <stdint.h>

#if defined(__GNUC__)
#define GF_API __attribute__((visibility("default")))
#else
#define GF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gf_model gf_model;

/* The numbers are the exit codes of the program graphflow. */
typedef enum gf_status {
  GF_OK = 0,
  GF_FAILURE = 1,  /* anything else: a file that cannot be opened, a device that fails */
  GF_USAGE = 2,    /* an argument: a null pointer, an unknown device, a size the model does not take */
  GF_BAD_DATA = 3, /* a file that is no model or is damaged; pixels that are not finite */
  GF_OUT_OF_MEMORY = 5
} gf_status;

/* Zeros mean the defaults. */
typedef struct gf_options {
  const char* device; /* "cpu" (the default), "cuda", "cuda:N" */
  int threads;        /* on the CPU; 0: one a core */
  int batch_size;     /* slices that pass the network together; 0: 8 */
  int raw;            /* not 0: class maps as the network makes them, without the model's post-processing */
} gf_options;

/* A picture (slices 1), or a volume as slices that lie on each other, in the order and orientation in which the model's
 * training cut them. pixels[((slice * height + y) * width + x) * channels + channel], intensities as files hold them:
 * the model normalises, shrinks and pads by itself. voxel_mm3 is the volume of a voxel (the product of its spacings in
 * mm); 0: not known, and of a picture 1. Only a model whose post-processing speaks of mm3 asks for it. */
typedef struct gf_image {
  const float* pixels;
  int64_t slices, height, width, channels;
  double voxel_mm3;
} gf_image;

/* Reads a checkpoint (.gfm). options may be NULL. On failure *model becomes NULL. */
GF_API gf_status gf_load(const char* file, const gf_options* options, gf_model** model);

/* Cleaned by the post-processing that graphflow postprocess put into the model's file (gf_postprocessing), unless
 * gf_options.raw says not to; GF_USAGE where that counts mm3 and a volume comes without voxel_mm3.
 * Writes one class id a pixel: classes[(slice * height + y) * width + x], the input's size. After a failure it is as it
 * was. The image is not changed and not kept. */
GF_API gf_status gf_predict(gf_model* model, const gf_image* image, int32_t* classes);

/* NULL is allowed. */
GF_API void gf_free(gf_model* model);

/* What the last call of this thread that failed had to say, in one line of UTF-8; "" where none has. Valid until the
 * thread's next failure. */
GF_API const char* gf_error(void);

/* What the model takes and gives. Names live as long as the model; NULL for a class that does not exist. */
GF_API int gf_channels(const gf_model* model);
GF_API int gf_classes(const gf_model* model);
GF_API const char* gf_class_name(const gf_model* model, int class_id);

/* What gf_predict does to class maps, for people: "liver: largest component; spleen: holes filled", or "none". Lives as
 * long as the model; NULL for NULL. */
GF_API const char* gf_postprocessing(const gf_model* model);

GF_API const char* gf_version(void);

#ifdef __cplusplus
}
#endif
#endif
