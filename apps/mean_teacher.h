#pragma once
// graphflow distill with distill.method = "mean_teacher": a student without a trained teacher.
#include "apps/commands.h"
#include "apps/config.h"

namespace gf {

int mean_teacher_run(const DistillFlags& flags, Config& config);  // the exit code

}  // namespace gf
