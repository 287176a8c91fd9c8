/* Segments a gray picture with a trained model, through the C API:
 *
 *   segment MODEL.gfm PICTURE.pgm MASK.pgm
 *
 * PICTURE is a binary PGM of 8 bits (`convert photo.png photo.pgm` makes one); MASK holds a class id a pixel. Prints how
 * many pixels each class has. */
#include <graphflow.h>
#include <stdio.h>
#include <stdlib.h>

static float* read_pgm(const char* name, int64_t* height, int64_t* width) {
  FILE* file = fopen(name, "rb");
  int h = 0, w = 0, most = 0, value;
  if (!file || fscanf(file, "P5 %d %d %d", &w, &h, &most) != 3 || most > 255 || w < 1 || h < 1 || fgetc(file) == EOF) {
    fprintf(stderr, "%s: no 8-bit PGM\n", name);
    exit(3);
  }
  float* pixels = malloc(sizeof(float) * (size_t)w * (size_t)h);
  for (size_t i = 0; pixels && i < (size_t)w * (size_t)h; ++i) {
    if ((value = fgetc(file)) == EOF) {
      fprintf(stderr, "%s: too short\n", name);
      exit(3);
    }
    pixels[i] = (float)value;
  }
  fclose(file);
  *height = h;
  *width = w;
  return pixels;
}

static void write_pgm(const char* name, const int32_t* classes, int64_t height, int64_t width) {
  FILE* file = fopen(name, "wb");
  if (file) fprintf(file, "P5\n%lld %lld\n255\n", (long long)width, (long long)height);
  for (int64_t i = 0; file && i < height * width; ++i) fputc(classes[i], file);
  if (!file || fclose(file) != 0) {
    fprintf(stderr, "%s: cannot write\n", name);
    exit(1);
  }
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: segment MODEL.gfm PICTURE.pgm MASK.pgm (graphflow %s)\n", gf_version());
    return 2;
  }
  gf_model* model;
  gf_status status = gf_load(argv[1], NULL, &model);
  if (status != GF_OK) {
    fprintf(stderr, "%s\n", gf_error());
    return status;
  }
  gf_image image = {NULL, 1, 0, 0, 1, 0};
  float* pixels = read_pgm(argv[2], &image.height, &image.width);
  int32_t* classes = malloc(sizeof(int32_t) * (size_t)(image.height * image.width));
  image.pixels = pixels;
  status = gf_predict(model, &image, classes);
  if (status == GF_OK) {
    write_pgm(argv[3], classes, image.height, image.width);
    for (int k = 0; k < gf_classes(model); ++k) {
      long long count = 0;
      for (int64_t i = 0; i < image.height * image.width; ++i) count += classes[i] == k;
      printf("%-20s %lld pixels\n", gf_class_name(model, k), count);
    }
  } else {
    fprintf(stderr, "%s\n", gf_error());
  }
  free(classes);
  free(pixels);
  gf_free(model);
  return status;
}
