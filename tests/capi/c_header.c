/* The header is C, with every warning there is. */
#include "capi/graphflow.h"

int load_in_c(const char* file, gf_model** model);
int load_in_c(const char* file, gf_model** model) {
  const gf_options options = {"cpu", 1, 0, 0};
  return (int)gf_load(file, &options, model);
}
